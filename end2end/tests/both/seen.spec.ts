// Opening a room is reading it, with a script or without.
import { expect, test } from '../../support/fixtures.ts';
import { RoomPage } from '../../support/pages.ts';

test('what a page has shown is read', async ({ api, server, newPerson }) => {
  const [ada, lin] = [await api.register('Ada'), await api.register('Lin')];
  const room = await api.room(ada);
  await api.join(lin, room);
  const last = await api.post(ada, room, 'good morning');
  await api.history(room, ada, last.at);
  const unread = async () => {
    const answer = await api.call('GET', '/me/unread', lin.token);
    const { rooms } = (await answer.json()) as { rooms: { room: string; unread: number }[] };
    return rooms.find((one) => one.room === room.id)?.unread;
  };
  expect(await unread()).toBe(1);
  const page = await newPerson(lin);
  await page.goto(server.url);
  const badge = page.getByRole('navigation', { name: 'Rooms' }).getByRole('link', { name: room.name }).locator('.badge');
  await expect(badge).toHaveText(/^1/);
  await new RoomPage(page).open(server.url, room);
  await expect(page.getByRole('separator').filter({ hasText: 'New' })).toBeVisible();
  await expect.poll(unread).toBe(0);
  await page.goto(server.url);
  await expect(badge).toHaveCount(0);
});
