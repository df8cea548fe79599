// Who is here, what one is told of a room, and keys for all of it.
import { unique } from '../../support/api.ts';
import { expect, test } from '../../support/fixtures.ts';
import { RoomPage } from '../../support/pages.ts';
import type { Page } from '@playwright/test';

const roomLink = (page: Page, room: { name: string }) =>
  page.getByRole('navigation', { name: 'Rooms' }).getByRole('link', { name: room.name });

test('who is here is marked, and is no longer when they are gone', async ({ api, server, newPerson }) => {
  const [ada, lin] = [await api.register('Ada'), await api.register('Lin')];
  const room = await api.room(ada);
  await api.join(lin, room);
  const first = await newPerson(ada);
  await first.setViewportSize({ width: 1280, height: 800 });
  await new RoomPage(first).open(server.url, room);
  const member = first.getByRole('complementary', { name: 'Members' }).getByRole('listitem').filter({ hasText: 'Lin' });
  await expect(member).toBeVisible();
  await expect(member).not.toHaveClass(/here/);

  const second = await newPerson(lin);
  await new RoomPage(second).open(server.url, room);
  await expect(member).toHaveClass(/here/);
  await expect(member).toContainText(', here now');
  await second.close();
  await expect(member).not.toHaveClass(/here/, { timeout: 15_000 });
});

test('one chooses how much one is told of a room, on all devices', async ({ api, server, newPerson }) => {
  const [ada, lin] = [await api.register('Ada'), await api.register('Lin')];
  const [tea, coffee] = [await api.room(ada, unique('tea')), await api.room(ada, unique('coffee'))];
  for (const room of [tea, coffee]) await api.join(lin, room);
  const [desk, other] = [await newPerson(lin), await newPerson(lin)];
  for (const page of [desk, other]) await page.setViewportSize({ width: 1280, height: 800 });
  await new RoomPage(desk).open(server.url, tea);
  await new RoomPage(other).open(server.url, coffee);
  const levels = desk.getByRole('form', { name: 'Notifications of this room' });
  await expect(levels.getByRole('button', { name: 'All' })).toHaveAttribute('aria-pressed', 'true');
  await levels.getByRole('button', { name: 'Mentions' }).click();
  await expect(levels.getByRole('button', { name: 'Mentions' })).toHaveAttribute('aria-pressed', 'true');
  await roomLink(desk, coffee).click();
  await expect(desk.getByRole('heading', { level: 1, name: coffee.name })).toBeVisible();

  await api.post(ada, tea, 'nothing for Lin');
  await api.post(ada, tea, `but this, @${lin.username}`);
  for (const page of [desk, other]) await expect(roomLink(page, tea).locator('.badge')).toHaveText(/^@1/);

  await roomLink(desk, tea).click();
  await levels.getByRole('button', { name: 'Mute' }).click();
  for (const page of [desk, other]) await expect(roomLink(page, tea)).toContainText('muted');
  await roomLink(desk, coffee).click();
  await expect(desk.getByRole('heading', { level: 1, name: coffee.name })).toBeVisible();
  await api.post(ada, tea, `again, @${lin.username}`);
  await api.post(ada, coffee, 'heard');
  await expect(new RoomPage(desk).message('heard')).toBeVisible();
  for (const page of [desk, other]) await expect(roomLink(page, tea).locator('.badge')).toHaveCount(0);
});

test('everything is marked as read at once', async ({ api, server, newPerson }) => {
  const [ada, lin] = [await api.register('Ada'), await api.register('Lin')];
  const rooms = [await api.room(ada, unique('tea')), await api.room(ada, unique('coffee'))];
  for (const room of rooms) {
    await api.join(lin, room);
    const last = await api.post(ada, room, 'unread');
    await api.history(room, ada, last.at);
  }
  const [desk, phone] = [await newPerson(lin), await newPerson(lin)];
  for (const page of [desk, phone]) {
    await page.goto(server.url);
    await expect(page).toHaveTitle(/^\(2\) /);
  }
  await desk.getByRole('button', { name: 'Mark all read' }).click();
  for (const page of [desk, phone]) await expect(page).not.toHaveTitle(/^\(/);
  await phone.reload();
  await expect(phone).not.toHaveTitle(/^\(/);
});

test('F6 goes through the page, arrows through rooms and messages', async ({ api, server, newPerson }) => {
  const ada = await api.register('Ada');
  const room = await api.room(ada);
  for (const body of ['first', 'second', 'third']) await api.post(ada, room, body);
  const page = await newPerson(ada);
  await page.setViewportSize({ width: 1280, height: 800 });
  await new RoomPage(page).open(server.url, room);
  const focused = page.locator(':focus');
  await expect(focused).toHaveRole('textbox');
  await page.keyboard.press('F6');
  await expect(page.getByRole('complementary', { name: 'Members' }).locator(':focus')).toHaveCount(1);
  await page.keyboard.press('F6');
  await expect(roomLink(page, room)).toBeFocused();
  await page.keyboard.press('F6');
  await expect(page.getByRole('region', { name: 'Message history' })).toBeFocused();
  await page.keyboard.press('ArrowUp');
  await expect(focused).toContainText('third');
  await page.keyboard.press('ArrowUp');
  await expect(focused).toContainText('second');
  // The way on is to what can be done with that message.
  await page.keyboard.press('Tab');
  await expect(page.locator('.row', { hasText: 'second' }).locator(':focus')).toHaveCount(1);
  await page.keyboard.press('Shift+F6');
  await expect(roomLink(page, room)).toBeFocused();

  await page.keyboard.press('Control+/');
  const keys = page.getByRole('dialog', { name: 'Keys' });
  await expect(keys).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(keys).toBeHidden();
});
