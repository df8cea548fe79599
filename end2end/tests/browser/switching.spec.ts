// From one room to another without loading the page: each opens where reading goes on.
import type { Page } from '@playwright/test';
import { type Account, type Api, type Room, unique } from '../../support/api.ts';
import { expect, mark, test } from '../../support/fixtures.ts';
import { live, RoomPage } from '../../support/pages.ts';

async function told(api: Api, who: Account, room: Room, count: number, word: string): Promise<string[]> {
  const posted = [];
  for (let n = 1; n <= count; n++) posted.push(await api.post(who, room, `${word} ${n}.`));
  await api.history(room, who, posted.at(-1)!.at);
  return posted.map(({ id }) => id);
}

const scrolled = (page: Page) => page.locator('.scroller').evaluate((scroller) => scroller.scrollTop);
const scrollTo = (page: Page, top: number) => page.locator('.scroller').evaluate((scroller, top) => scroller.scrollTo(0, top), top);
const open = async (page: Page, room: Room) => {
  await page.getByRole('navigation', { name: 'Rooms' }).getByRole('link', { name: room.name }).click();
  await expect(page.getByRole('heading', { level: 1, name: room.name })).toBeVisible();
};
const unreadOf = async (api: Api, who: Account, room: Room) => {
  const { rooms } = (await (await api.call('GET', '/me/unread', who.token)).json()) as { rooms: { room: string; unread: number }[] };
  return rooms.find((unread) => unread.room === room.id)?.unread ?? 0;
};

async function two(api: Api) {
  const [ada, lin] = [await api.register('Ada'), await api.register('Lin')];
  const rooms = [await api.room(ada, unique('first')), await api.room(ada, unique('second'))] as const;
  for (const room of rooms) await api.join(lin, room);
  return { ada, lin, rooms };
}

test('a room opens at its end, however far up the one before was read', async ({ api, server, newPerson }) => {
  const { ada, rooms } = await two(api);
  for (const room of rooms) await told(api, ada, room, 40, 'told');
  const page = await newPerson(ada);
  const shown = await new RoomPage(page).open(server.url, rooms[0]);
  await live(api, ada, rooms[0], shown);
  const stayed = await mark(page);
  await scrollTo(page, -400);
  await expect.poll(() => scrolled(page)).toBeLessThan(-300);
  await open(page, rooms[1]);
  await expect(shown.message('told 40.')).toBeInViewport();
  expect(await scrolled(page)).toBe(0);
  await expect(page.getByText('Jump to latest')).toHaveCount(0);
  expect(await stayed()).toBe(true);
});

test('a room with much unread opens at the first of it, and is read as far as was seen', async ({ api, server, newPerson }) => {
  const { ada, lin, rooms } = await two(api);
  const page = await newPerson(lin);
  const shown = await new RoomPage(page).open(server.url, rooms[0]);
  await live(api, ada, rooms[0], shown);
  await told(api, ada, rooms[1], 110, 'told');
  await scrollTo(page, -100);
  await open(page, rooms[1]);
  await expect(page.locator('#new')).toBeInViewport();
  await expect(shown.message('told 1.')).toBeInViewport();
  expect(await unreadOf(api, lin, rooms[1]), 'nothing was seen of the end').toBeGreaterThan(80);

  await page.getByText('Jump to latest').click();
  await expect(shown.message('told 110.')).toBeInViewport();
  expect(await scrolled(page)).toBe(0);
  await expect.poll(() => unreadOf(api, lin, rooms[1])).toBe(0);
  // Again, from an address that asks for it already: far enough up for the newest to be left out.
  const newest = page.getByRole('link', { name: 'Jump to latest' });
  await page.goto(`${page.url().split('?')[0]}?latest=1`);
  await expect(shown.message('told 110.')).toBeInViewport();
  await page.locator('.row').first().getByRole('link').first().click();
  await expect(newest).toBeVisible();
  await newest.click();
  await expect(shown.message('told 110.')).toBeInViewport();
});

test('a link to a message leads to it, and one writes from there', async ({ api, server, newPerson }) => {
  const { ada, rooms } = await two(api);
  const ids = await told(api, ada, rooms[0], 130, 'told');
  const page = await newPerson(ada);
  const shown = new RoomPage(page);
  await page.goto(`${server.url}/rooms/${rooms[0].slug}?latest=1`);
  await live(api, ada, rooms[0], shown);
  await api.call('PUT', `/rooms/${rooms[0].id}/messages/${ids[9]}/pin`, ada.token);
  await page.getByRole('complementary', { name: 'Members' }).getByRole('link', { name: 'told 10.' }).click();
  await expect(shown.message('told 10.')).toBeInViewport();
  await expect(page.locator(`#m-${ids[9]}`)).toHaveClass(/highlight/);
  await shown.say('written far up');
  await expect(shown.message('written far up')).toBeInViewport();
  await expect(page.getByText('Jump to latest')).toHaveCount(0);
});

test("what one person began to write is not in another's composer", async ({ api, server, newPerson }) => {
  const { ada, lin, rooms } = await two(api);
  const page = await newPerson(ada);
  const shown = await new RoomPage(page).open(server.url, rooms[0]);
  await live(api, ada, rooms[0], shown);
  await shown.composer.fill('for nobody yet');
  const [name = '', ...value] = lin.cookie.split('=');
  await page.context().addCookies([{ name, value: value.join('='), domain: '127.0.0.1', path: '/' }]);
  await page.reload();
  await live(api, ada, rooms[0], shown);
  await expect(page.getByText('for nobody yet')).toHaveCount(0);
  await expect(shown.composer).toHaveValue('');
});

test('who is taken out of a private room while looking is told so', async ({ api, server, newPerson }) => {
  const [ada, lin] = [await api.register('Ada'), await api.register('Lin')];
  const room = await api.room(ada, unique('closed'), 'private');
  await api.call('PUT', `/rooms/${room.id}/members/${lin.username}`, ada.token);
  await expect.poll(async () => (await api.call('GET', `/rooms/${room.id}`, lin.token)).status).toBe(200);
  const shown = await new RoomPage(await newPerson(lin)).open(server.url, room);
  await live(api, ada, room, shown);
  await api.call('DELETE', `/rooms/${room.id}/members/${lin.username}`, ada.token);
  await expect(shown.page.getByText('You are not in this room any more.')).toBeVisible();
  await expect(shown.page.getByRole('button', { name: /^Join/ })).toHaveCount(0);
});
