// What one has not read: counted wherever one is, gone when it is seen, on every device.
import { type Api, unique } from '../../support/api.ts';
import { expect, test } from '../../support/fixtures.ts';
import { RoomPage } from '../../support/pages.ts';
import type { Page } from '@playwright/test';

async function twoRooms(api: Api) {
  const [ada, lin] = [await api.register('Ada'), await api.register('Lin')];
  const [tea, coffee] = [await api.room(ada, unique('tea')), await api.room(ada, unique('coffee'))];
  for (const room of [tea, coffee]) await api.join(lin, room);
  return { ada, lin, tea, coffee };
}

const badge = (page: Page, room: { name: string }) =>
  page.getByRole('navigation', { name: 'Rooms' }).getByRole('link', { name: room.name }).locator('.badge');

test('messages in another room are counted as they come, and read when they are seen', async ({ api, server, newPerson }) => {
  const { ada, lin, tea, coffee } = await twoRooms(api);
  const first = await api.post(ada, tea, 'before Lin came');
  await api.history(tea, ada, first.at);
  const [desk, phone] = [await newPerson(lin), await newPerson(lin)];
  await new RoomPage(desk).open(server.url, coffee);
  await phone.goto(server.url);
  // Counted by the server, in the page's first HTML.
  await expect(badge(desk, tea)).toHaveText(/^1/);
  await expect(desk).toHaveTitle(`(1) #${coffee.name} · Partyline`);

  await api.post(ada, tea, 'and now');
  await api.post(ada, tea, `you too, @${lin.username}!`);
  for (const page of [desk, phone]) {
    await expect(badge(page, tea)).toHaveText(/@1.*3 unread, 1 mention you/);
    await expect(badge(page, tea)).toHaveClass(/mention/);
    await expect(page).toHaveTitle(/^\(@1\) /);
  }
  await expect(desk.locator('#icon')).toHaveAttribute('href', '/favicon-unread.svg');
  // One's own do not count.
  await new RoomPage(desk).say('my own');
  await expect(badge(desk, coffee)).toHaveCount(0);

  await desk.getByRole('navigation', { name: 'Rooms' }).getByRole('link', { name: tea.name }).click();
  await expect(new RoomPage(desk).message('and now')).toBeVisible();
  await expect(desk.getByRole('separator').filter({ hasText: 'New' })).toHaveCount(1);
  for (const page of [desk, phone]) {
    await expect(badge(page, tea)).toHaveCount(0);
    await expect(page).not.toHaveTitle(/^\(/);
  }
  await phone.reload();
  await expect(badge(phone, tea)).toHaveCount(0);
});

test('a room opens at the first message that was not read', async ({ api, server, newPerson }) => {
  const { ada, lin, tea } = await twoRooms(api);
  const seen = await api.post(ada, tea, 'seen already');
  await api.call('PUT', `/rooms/${tea.id}/read`, lin.token, { at: seen.at });
  let last = seen;
  for (let n = 1; n <= 130; n++) last = await api.post(ada, tea, `unread ${n}`);
  await api.history(tea, ada, last.at);
  const page = await newPerson(lin);
  const room = await new RoomPage(page).open(server.url, tea);
  await expect(badge(page, tea)).toHaveText(/^99\+/);
  await expect(room.message('unread 1')).toBeInViewport();
  await expect(page.getByRole('separator').filter({ hasText: 'New' })).toBeInViewport();
  await expect(room.message('unread 130')).toHaveCount(0);
  // Reading on to the end, nothing jumps over anything.
  await page.locator('.scroller').hover();
  await expect(async () => {
    await page.mouse.wheel(0, 900);
    await expect(room.message('unread 130')).toBeInViewport({ timeout: 300 });
  }).toPass({ timeout: 30_000 });
  const texts = await room.texts(/^\s*unread \d+/);
  expect(texts).toEqual(Array.from({ length: 130 }, (_, n) => `unread ${n + 1}`).slice(-texts.length));
  await expect(badge(page, tea)).toHaveCount(0);
  await expect(room.composer).toBeVisible();
});

test('the list of rooms follows when somebody else lets one in', async ({ api, server, newPerson }) => {
  const [ada, lin] = [await api.register('Ada'), await api.register('Lin')];
  const page = await newPerson(lin);
  await page.goto(server.url);
  const room = await api.room(ada, unique('hidden'), 'private');
  await api.call('PUT', `/rooms/${room.id}/members/${lin.username}`, ada.token);
  const link = page.getByRole('navigation', { name: 'Rooms' }).getByRole('link', { name: room.name });
  await expect(link).toBeVisible();
  await api.post(ada, room, 'hello in here');
  await expect(badge(page, room)).toHaveText(/^1/);
});
