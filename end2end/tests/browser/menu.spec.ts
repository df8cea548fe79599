// What can be done to a message, on the screen.
import { expect, test } from '../../support/fixtures.ts';
import { live, RoomPage } from '../../support/pages.ts';

test("a message stays where it is when its menu opens, and the newest message's menu is seen", async ({ api, server, newPerson }) => {
  const ada = await api.register('Ada');
  const room = await api.room(ada);
  for (let n = 0; n < 30; n++) await api.post(ada, room, `line ${n}`);
  const shown = await new RoomPage(await newPerson(ada)).open(server.url, room);
  await live(api, ada, room, shown);
  const row = (text: string) => shown.page.getByRole('article').filter({ has: shown.page.locator('.body', { hasText: text }) });
  const top = async (text: string) => (await row(text).boundingBox())?.y ?? NaN;

  const before = await top('line 20');
  await row('line 20').hover();
  await row('line 20').locator('.menu > summary').click();
  await row('line 20').getByText('Edit', { exact: true }).click();
  await expect(row('line 20').getByRole('textbox', { name: 'New text' })).toBeVisible();
  await expect.poll(async () => Math.abs((await top('line 20')) - before)).toBeLessThan(2);

  await row('ready').scrollIntoViewIfNeeded();
  await row('ready').hover();
  await row('ready').locator('.menu > summary').click();
  await expect(row('ready').getByRole('link', { name: 'Link' })).toBeInViewport({ ratio: 1 });
});
