// Threads with a script: live, and where the cursor goes.
import { expect, test } from '../../support/fixtures.ts';
import { live, RoomPage } from '../../support/pages.ts';
import { field, question, rowOf, said, thread } from '../../support/thread.ts';

test('a thread is live', async ({ api, server, newPerson }) => {
  const { ada, lin, room, id } = await question(api);
  const page = await newPerson(ada);
  await page.goto(`${server.url}/rooms/${room.slug}?thread=${id}`);
  const shown = new RoomPage(page);
  await live(api, lin, room, shown);
  const later = await api.reply(lin, room, id, 'Bread too');
  await expect(said(page, 'Bread too')).toHaveCount(1);
  await expect(page.getByRole('link', { name: '2 replies' }).first()).toBeVisible();
  await api.call('PUT', `/rooms/${room.id}/messages/${later.id}/reactions/${encodeURIComponent('👍')}`, ada.token);
  await expect(thread(page).getByRole('button', { name: /^👍/ })).toBeVisible();
  await api.call('PATCH', `/rooms/${room.id}/messages/${later.id}`, lin.token, { body: 'Cheese too' });
  await expect(said(page, 'Cheese too \\(edited\\)')).toHaveCount(1);
  await api.call('DELETE', `/rooms/${room.id}/messages/${later.id}`, lin.token);
  await expect(said(page, 'This message was deleted.')).toHaveCount(1);
  await expect(thread(page).getByRole('status')).toHaveText('1 reply');
  await expect(page.getByRole('link', { name: '1 reply' }).first()).toBeVisible();
});

test('what was written before the script has come is still there then', async ({ api, server, newPerson }) => {
  const { ada, lin, room, id } = await question(api);
  const page = await newPerson(ada);
  let letGo = () => {};
  const held = new Promise<void>((done) => (letGo = done));
  await page.route(/\/thread\.\w+\.wasm/, async (route) => {
    await held;
    await route.continue();
  });
  await page.goto(`${server.url}/rooms/${room.slug}?thread=${id}`);
  await live(api, lin, room, new RoomPage(page));
  await field(page).fill('Half a thought');
  letGo();
  await api.reply(lin, room, id, 'Bread too');
  await expect(said(page, 'Bread too')).toHaveCount(1);
  await expect(field(page)).toHaveValue('Half a thought');
  await expect(field(page)).toBeFocused();
});

test('the cursor goes into a thread and comes back', async ({ api, server, newPerson }) => {
  const { ada, lin, room, id } = await question(api);
  const page = await newPerson(ada);
  const shown = await new RoomPage(page).open(server.url, room);
  await live(api, lin, room, shown);
  const row = rowOf(page, 'Something else');
  await row.hover();
  await row.locator('.menu > summary').click();
  await row.getByRole('link', { name: 'Reply in thread' }).click();
  await expect(field(page)).toBeFocused();
  await page.keyboard.type('Half a thought');
  await page.keyboard.press('F6');
  await page.keyboard.press('F6');
  await page.keyboard.press('F6');
  await expect(shown.composer).toBeFocused();
  await page.keyboard.press('F6');
  await expect(field(page)).toBeFocused();
  await page.keyboard.press('Escape');
  await expect(thread(page)).toHaveCount(0);
  await expect(row.locator('.menu > summary')).toBeFocused();

  await page.getByRole('link', { name: '1 reply' }).press('Enter');
  await expect(thread(page)).toBeFocused();
  await expect(said(page, 'I do')).toHaveCount(1);
  await expect(field(page)).toHaveValue('');
  await page.keyboard.press('Escape');
  await expect(page.getByRole('link', { name: '1 reply' })).toBeFocused();
  await page.goBack();
  await expect(said(page, 'I do')).toHaveCount(1);
  expect(page.url()).toContain(id);
});
