// Without a network: the last rooms can be read and written in, by whoever read them before and by nobody else.
import { expect, test } from '../../support/fixtures.ts';
import { RoomPage } from '../../support/pages.ts';
import type { Page } from '@playwright/test';

test.use({
  serviceWorkers: 'allow',
  // Without a network browsers say so.
  expectedComplaints: [/ERR_INTERNET_DISCONNECTED|Failed to load resource|WebSocket connection|net::ERR|Failed to fetch/] as never,
});

const controlled = (page: Page) => page.waitForFunction(() => navigator.serviceWorker.controller !== null);

test('a room that was open can be read and written in without a network', async ({ api, server, newPerson }) => {
  const ada = await api.register('Ada');
  const [room, other] = [await api.room(ada), await api.room(ada)];
  await api.post(ada, room, 'kept for the train');
  const page = await newPerson(ada);
  await page.goto(server.url);
  await controlled(page);
  const chat = await new RoomPage(page).open(server.url, room);
  await expect(chat.message('kept for the train')).toBeVisible();
  // The copies are made after the page is there.
  const kept = async (slug: string) => {
    const names = (await caches.keys()).filter((name) => name.startsWith('pages-'));
    const has = async (name: string, url: string) => (await (await caches.open(name)).match(url, { ignoreVary: true })) !== undefined;
    if (names.length !== 1 || !(await has(names[0]!, `/rooms/${slug}`))) return false;
    const loaded = performance.getEntriesByType('resource').map((entry) => entry.name).filter((name) => name.includes('/pkg/'));
    for (const name of loaded) if (!(await has('files', name))) return false;
    return loaded.some((name) => name.includes('/markdown.'));
  };
  await expect.poll(() => page.evaluate(kept, room.slug)).toBe(true);

  await page.context().setOffline(true);
  await page.reload();
  await expect(chat.message('kept for the train')).toBeVisible();
  await chat.say('written in a tunnel');
  await expect(chat.message('written in a tunnel')).toBeVisible();
  await page.goto(`${server.url}/rooms/${other.slug}`);
  await expect(page.getByRole('heading', { name: 'No connection' })).toBeVisible();

  await page.context().setOffline(false);
  await page.goto(`${server.url}/rooms/${room.slug}`);
  await expect(chat.message('written in a tunnel')).toBeVisible();
  await expect.poll(async () => (await api.history(room, ada)).map((message) => message.body)).toContain('written in a tunnel');
});

test('what was kept for one person is gone with their session', async ({ api, server, newPerson }) => {
  const ada = await api.register('Ada');
  const room = await api.room(ada, undefined, 'private');
  await api.post(ada, room, 'for Ada alone');
  const page = await newPerson(ada);
  await page.goto(server.url);
  await controlled(page);
  await new RoomPage(page).open(server.url, room);
  const kept = async () => (await caches.keys()).some((name) => name.startsWith('pages-'));
  await expect.poll(() => page.evaluate(kept)).toBe(true);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await expect(page.getByRole('link', { name: 'Sign in' }).first()).toBeVisible();
  await expect.poll(() => page.evaluate(kept)).toBe(false);
  await page.context().setOffline(true);
  await page.goto(`${server.url}/rooms/${room.slug}`);
  await expect(page.getByRole('heading', { name: 'No connection' })).toBeVisible();
  await expect(page.getByText('for Ada alone')).toHaveCount(0);
});
