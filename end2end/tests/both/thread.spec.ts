// Threads beside a room, with and without JavaScript.
import { expect, test } from '../../support/fixtures.ts';
import { RoomPage } from '../../support/pages.ts';
import { field, question, rowOf, said, thread } from '../../support/thread.ts';

test('what answers a message is one link away, and so is answering', async ({ api, server, newPerson }) => {
  const { ada, room, id } = await question(api);
  const page = await newPerson(ada);
  const shown = await new RoomPage(page).open(server.url, room);
  await expect(thread(page)).toHaveCount(0);
  await page.getByRole('link', { name: '1 reply' }).click();
  await expect(page).toHaveURL(new RegExp(`\\?thread=${id}$`));
  await expect(said(page, 'Who brings the map\\?')).toHaveCount(1);
  await expect(said(page, 'I do')).toHaveCount(1);
  await expect(said(page, 'Something else')).toHaveCount(0);
  await expect(page.locator('#members')).toBeHidden();

  await field(page).fill('And who brings bread?');
  await thread(page).getByRole('button', { name: 'Send reply' }).click();
  await expect(said(page, 'And who brings bread\\?')).toHaveCount(1);
  await expect(thread(page).getByRole('status')).toHaveText('2 replies');
  // Nothing is hidden from the room.
  await expect(shown.message('And who brings bread?')).toHaveCount(1);
  await expect(page).toHaveURL(new RegExp(`\\?thread=${id}`));
  await page.reload();
  await expect(said(page, 'And who brings bread\\?')).toHaveCount(1);
  await expect(field(page)).toHaveValue('');

  await thread(page).getByRole('link', { name: 'Close' }).click();
  await expect(thread(page)).toHaveCount(0);
  await expect(page.getByRole('link', { name: '2 replies' })).toBeVisible();
  await expect(page.locator('#members')).toBeVisible();
});

test('any message can be the beginning of a thread', async ({ api, server, newPerson }) => {
  const { lin, room, id } = await question(api);
  const page = await newPerson(lin);
  await new RoomPage(page).open(server.url, room);
  const row = rowOf(page, 'Something else');
  await row.hover();
  await row.locator('.menu > summary').click();
  await row.getByRole('link', { name: 'Reply in thread' }).click();
  await expect(thread(page).getByRole('status')).toHaveText('No replies yet');
  await field(page).fill('What else?');
  await thread(page).getByRole('button', { name: 'Send reply' }).click();
  await expect(said(page, 'What else\\?')).toHaveCount(1);
  expect(page.url()).not.toContain(id);
});

test('a visitor reads a thread and is not asked to answer', async ({ api, server, page }) => {
  const { room, id } = await question(api);
  await page.goto(`${server.url}/rooms/${room.slug}?thread=${id}`);
  await expect(said(page, 'I do')).toHaveCount(1);
  await expect(field(page)).toHaveCount(0);
});

test('a text that cannot be posted is still there', async ({ api, server, newPerson, javaScriptEnabled }) => {
  const { ada, room, id } = await question(api);
  const page = await newPerson(ada);
  await page.goto(`${server.url}/rooms/${room.slug}?thread=${id}`);
  await field(page).fill('   ');
  await thread(page).getByRole('button', { name: 'Send reply' }).click();
  // A script does not send it in the first place.
  if (javaScriptEnabled === false) await expect(thread(page).getByRole('alert')).toContainText('does not fit');
  await expect(page.locator('main').getByRole('alert')).toHaveCount(0);
  await expect(said(page, 'I do')).toHaveCount(1);
});
