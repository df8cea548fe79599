// Without a network: the last rooms can be read, by whoever read them before and by nobody else.
import { expect, test } from '../../support/fixtures.ts';
import { RoomPage } from '../../support/pages.ts';
import type { Page } from '@playwright/test';

test.use({
  serviceWorkers: 'allow',
  // Without a network browsers say so.
  expectedComplaints: [/ERR_INTERNET_DISCONNECTED|Failed to load resource|WebSocket connection|net::ERR|Failed to fetch/] as never,
});

const controlled = (page: Page) => page.waitForFunction(() => navigator.serviceWorker.controller !== null);

test('a room that was open can be read without a network', async ({ api, server, newPerson }) => {
  const ada = await api.register('Ada');
  const [room, other] = [await api.room(ada), await api.room(ada)];
  await api.post(ada, room, 'kept for the train');
  const page = await newPerson(ada);
  await page.goto(server.url);
  await controlled(page);
  const chat = await new RoomPage(page).open(server.url, room);
  await expect(chat.message('kept for the train')).toBeVisible();
  // The copy is made after the page is there.
  await page.waitForFunction(async (slug) => {
    const names = (await caches.keys()).filter((name) => name.startsWith('pages-'));
    const has = async (name: string, path: string) => (await (await caches.open(name)).match(path)) !== undefined;
    if (names.length !== 1 || !(await has(names[0]!, `/rooms/${slug}`))) return false;
    return (await has('files', '/pkg/partyline.wasm')) && (await has('files', '/pkg/partyline.js'));
  }, room.slug);

  await page.context().setOffline(true);
  await page.reload();
  await expect(chat.message('kept for the train')).toBeVisible();
  await page.goto(`${server.url}/rooms/${other.slug}`);
  await expect(page.getByRole('heading', { name: 'No connection' })).toBeVisible();
});

test('what was kept for one person is gone with their session', async ({ api, server, newPerson }) => {
  const ada = await api.register('Ada');
  const room = await api.room(ada, undefined, 'private');
  await api.post(ada, room, 'for Ada alone');
  const page = await newPerson(ada);
  await page.goto(server.url);
  await controlled(page);
  await new RoomPage(page).open(server.url, room);
  await page.waitForFunction(async () => (await caches.keys()).some((name) => name.startsWith('pages-')));
  await page.getByRole('button', { name: 'Sign out' }).click();
  await expect(page.getByRole('link', { name: 'Sign in' }).first()).toBeVisible();
  await page.waitForFunction(async () => !(await caches.keys()).some((name) => name.startsWith('pages-')));
  await page.context().setOffline(true);
  await page.goto(`${server.url}/rooms/${room.slug}`);
  await expect(page.getByRole('heading', { name: 'No connection' })).toBeVisible();
  await expect(page.getByText('for Ada alone')).toHaveCount(0);
});
