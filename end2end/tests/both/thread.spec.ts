// Threads beside a room, with and without JavaScript.
import { type Account, type Api, type Room } from '../../support/api.ts';
import { expect, test } from '../../support/fixtures.ts';
import { live, RoomPage } from '../../support/pages.ts';
import type { Page } from '@playwright/test';

/** A question of Ada's in a room with Lin, and Lin's answer. */
async function question(api: Api): Promise<{ ada: Account; lin: Account; room: Room; id: string }> {
  const [ada, lin] = [await api.register('Ada'), await api.register('Lin')];
  const room = await api.room(ada);
  await api.join(lin, room);
  const { id } = await api.post(ada, room, 'Who brings the map?');
  await api.post(ada, room, 'Something else');
  const { at } = await api.reply(lin, room, id, 'I do');
  await api.history(room, ada, at);
  return { ada, lin, room, id };
}

const thread = (page: Page) => page.getByRole('complementary', { name: 'Thread' });
const said = (page: Page, text: string) => thread(page).locator('.body').filter({ hasText: new RegExp(`^\\s*${text}\\s*$`) });
const field = (page: Page) => thread(page).getByRole('textbox', { name: 'Reply in thread' });
const rowOf = (page: Page, text: string) =>
  page.getByRole('log', { name: 'Messages' }).getByRole('article').filter({ has: page.locator('.body', { hasText: text }) });

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
  test.skip(javaScriptEnabled !== false, 'a script does not send it');
  const { ada, room, id } = await question(api);
  const page = await newPerson(ada);
  await page.goto(`${server.url}/rooms/${room.slug}?thread=${id}`);
  await field(page).fill('   ');
  await thread(page).getByRole('button', { name: 'Send reply' }).click();
  await expect(thread(page).getByRole('alert')).toContainText('does not fit');
  await expect(page.locator('main').getByRole('alert')).toHaveCount(0);
  await expect(said(page, 'I do')).toHaveCount(1);
});

test.describe('with a script', () => {
  test.skip(({ javaScriptEnabled }) => javaScriptEnabled === false, 'nothing changes without one');

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
});
