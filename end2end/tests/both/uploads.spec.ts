// A file with a message, with and without JavaScript.
import { unique } from '../../support/api.ts';
import { expect, test } from '../../support/fixtures.ts';
import { RoomPage } from '../../support/pages.ts';
import { png } from '../../support/pictures.ts';

test('a picture is sent with a text', async ({ api, server, newPerson, javaScriptEnabled }) => {
  const ada = await api.register('Ada');
  const room = await api.room(ada);
  const shown = await new RoomPage(await newPerson(ada)).open(server.url, room);
  const file = { name: 'the pier.png', mimeType: 'image/png', buffer: png(600, 300) };
  const text = unique('look');
  await shown.composer.fill(text);
  if (javaScriptEnabled) {
    await shown.page.getByLabel('Add files').setInputFiles(file);
    await expect(shown.page.getByRole('list', { name: 'Files to send' })).toContainText('kB');
    await shown.send.click();
  } else {
    await shown.page.getByText('Add a file').click();
    await shown.page.getByLabel('File', { exact: true }).setInputFiles(file);
    await shown.page.screenshot({ path: 'test-results/screens/files-without-script.png' });
    await shown.page.getByRole('button', { name: 'Send with file' }).click();
  }
  const picture = shown.timeline.getByRole('img', { name: 'the pier.png' });
  await expect(picture).toBeVisible();
  await expect.poll(async () => (await picture.boundingBox())?.width).toBe(600);
  await expect(shown.timeline.locator('.body').filter({ has: shown.page.getByRole('img') })).toContainText(text);
  expect((await api.history(room, ada)).at(-1)?.body).toContain(`${text}\n\n![the pier.png](/files/`);
});
