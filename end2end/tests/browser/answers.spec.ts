// What the page makes of a node's answers that are not the usual ones. The socket's frames pass through the test.
import type { Page, WebSocketRoute } from '@playwright/test';
import { unique, type Room } from '../../support/api.ts';
import { expect, test } from '../../support/fixtures.ts';
import { RoomPage } from '../../support/pages.ts';

interface Socket {
  toPage: WebSocketRoute;
  subscriptions: { room: string; since?: string; time: number }[];
}

/** `refused` first subscriptions get `answer` instead of what the node would say. */
async function between(page: Page, refused: number, answer: (room: string) => object): Promise<Socket[]> {
  const sockets: Socket[] = [];
  await page.routeWebSocket(/\/ws$/, (toPage) => {
    const toServer = toPage.connectToServer();
    const socket: Socket = { toPage, subscriptions: [] };
    sockets.push(socket);
    toPage.onMessage((text) => {
      const frame = JSON.parse(String(text)) as { type: string; room: string; since?: string };
      if (frame.type === 'subscribe') {
        socket.subscriptions.push({ ...frame, time: Date.now() });
        if (socket.subscriptions.length <= refused) return toPage.send(JSON.stringify(answer(frame.room)));
      }
      toServer.send(text);
    });
  });
  return sockets;
}

const asked = (sockets: Socket[]) => sockets.flatMap((socket) => socket.subscriptions);

test('a room that the node could not subscribe to is heard of all the same', async ({ api, server, page }) => {
  const ada = await api.register('Ada');
  const room = await api.room(ada);
  const sockets = await between(page, 1, (room) => ({ type: 'error', room, reason: 'busy' }));
  const shown = await new RoomPage(page).open(server.url, room);
  await expect.poll(() => asked(sockets).length).toBe(1);
  const text = unique('after-a-refusal');
  await api.post(ada, room, text);
  await expect(shown.message(text)).toHaveCount(1);
});

test('a node that answers resync again and again is asked with growing pauses', async ({ api, server, page }) => {
  const ada = await api.register('Ada');
  const room = await api.room(ada);
  const sockets = await between(page, 3, (room) => ({ type: 'resync', room, reason: 'too_old' }));
  const shown = await new RoomPage(page).open(server.url, room);
  await expect.poll(() => asked(sockets).length).toBe(4);
  const text = unique('after-resyncs');
  await api.post(ada, room, text);
  await expect(shown.message(text)).toHaveCount(1);
  expect(asked(sockets).length).toBe(4);
  // The second read in a row waits for half a second to one, the third for one to two.
  const times = asked(sockets).map((subscription) => subscription.time);
  expect(times[3]! - times[1]!).toBeGreaterThanOrEqual(1_500);
});

test('who typed is not shown as typing for ever, however much else comes', async ({ api, server, page }) => {
  const ada = await api.register('Ada');
  const room = await api.room(ada);
  const sockets = await between(page, 0, () => ({}));
  // The line stands above the composer: only who writes here sees it.
  const shown = await new RoomPage(page).open(server.url, room);
  await shown.enterAsGuest();
  const typing = { type: 'typing', room: room.id, user: ada.username };
  // The guest's socket may only just be made.
  await expect(async () => {
    sockets.at(-1)!.toPage.send(JSON.stringify(typing));
    await expect(page.getByText('Ada is typing…')).toBeVisible({ timeout: 1_000 });
  }).toPass();
  const chatter = setInterval(() => sockets.at(-1)!.toPage.send('{"type":"pong"}'), 100);
  await expect(page.getByText('Ada is typing…')).toBeHidden();
  // And no longer than until the message is there.
  sockets.at(-1)!.toPage.send(JSON.stringify(typing));
  await expect(page.getByText('Ada is typing…')).toBeVisible();
  const text = unique('said');
  await api.post(ada, room, text);
  await expect(shown.message(text)).toHaveCount(1);
  await expect(page.getByText('Ada is typing…')).toBeHidden({ timeout: 2_000 });
  clearInterval(chatter);
});

test('who reads further back comes to the newest message by message', async ({ api, server, page }) => {
  test.slow();
  const ada = await api.register('Ada');
  const room: Room = await api.room(ada);
  const texts = Array.from({ length: 130 }, (_, n) => `told-${String(n).padStart(3, '0')}`);
  for (const text of texts) await api.post(ada, room, text);
  await expect.poll(async () => (await api.history(room, ada)).at(-1)?.body).toBe('told-129');
  const history = await (await api.call('GET', `/rooms/${room.id}/messages?limit=200`, ada.token)).json();
  const eleventh = history.messages[10];
  const sockets = await between(page, 1, (room) => ({ type: 'resync', room, reason: 'too_old' }));
  await page.goto(`${server.url}/rooms/${room.slug}?before=${eleventh.at}`);
  const shown = new RoomPage(page);
  // Even a resync leaves them where they are.
  await expect.poll(() => asked(sockets).length).toBe(2);
  expect(await shown.texts(/^told-/)).toEqual(texts.slice(0, 10));
  await page.getByRole('link', { name: 'Newer messages' }).click();
  await expect.poll(() => shown.texts(/^told-/)).toEqual(texts.slice(0, 60));
  // From there on reading on is enough.
  await page.locator('.scroller').hover();
  await expect(async () => {
    await page.mouse.wheel(0, 600);
    const read = await shown.texts(/^told-/);
    expect(read).toEqual(texts.slice(0, read.length));
    expect(read).toHaveLength(130);
  }).toPass();
  const text = unique('live');
  await api.post(ada, room, text);
  await expect(shown.message(text)).toHaveCount(1);
});
