// What becomes of a message after Enter.
import type { Page } from '@playwright/test';
import { live, type RoomPage } from '../../support/pages.ts';
import { complaints, CUT, expect, test, type World } from '../../support/world.ts';

test.use(complaints(CUT));

const POST = '**/api/fn/post';

/** Posts of this page wait until `go`; tells how many were made. */
async function holdPosts(page: Page) {
  let [made, open, most] = [0, 0, 0];
  let go = () => {};
  const held = new Promise<void>((release) => (go = release));
  await page.route(POST, async (route) => {
    made += 1;
    open += 1;
    most = Math.max(most, open);
    await held;
    const answer = await route.fetch();
    open -= 1;
    await route.fulfill({ response: answer });
  });
  return { go, made: () => made, mostAtOnce: () => most };
}

/** Lin's page hears nothing of the room until `tell`. */
async function deafen(page: Page) {
  const waiting: (() => void)[] = [];
  let deaf = false;
  await page.routeWebSocket(/\/ws$/, (toPage) => {
    const toServer = toPage.connectToServer();
    toServer.onMessage((frame) => {
      if (deaf && String(frame).includes('"type":"event"')) waiting.push(() => toPage.send(frame));
      else toPage.send(frame);
    });
  });
  return {
    deafen: () => (deaf = true),
    tell: () => {
      deaf = false;
      for (const tell of waiting.splice(0)) tell();
    },
  };
}

async function begun(world: World, shown: RoomPage): Promise<RoomPage> {
  await live(world.api, world.ada, world.room, shown);
  return shown;
}

const bodies = async (world: World, room = world.room) => (await world.api.history(room, world.ada)).map(({ body }) => body);

/** The server takes nothing of Lin's any more, which this page does not hear of. */
async function shutOut(world: World): Promise<void> {
  const answer = await world.api.call('DELETE', `/rooms/${world.room.id}/members/${world.lin.username}`, world.ada.token);
  expect(answer.ok).toBe(true);
  await expect.poll(async () => (await world.api.call('POST', `/rooms/${world.room.id}/messages`, world.lin.token, { body: 'no' })).status).toBe(403);
}

async function letIn(world: World): Promise<void> {
  await world.api.call('PUT', `/rooms/${world.room.id}/members/${world.lin.username}`, world.ada.token);
}

test('appears at once', async ({ world }) => {
  const his = await begun(world, await world.lins());
  const posts = await holdPosts(his.page);
  await his.composer.fill('here I am');
  // From the key to the next painted frame.
  const took = await his.composer.evaluate(async (field) => {
    const began = performance.now();
    field.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true }));
    const there = () => document.querySelector('.rows')!.textContent!.includes('here I am');
    while (!there() && performance.now() - began < 5_000) await new Promise(requestAnimationFrame);
    return there() ? performance.now() - began : NaN;
  });
  // No way to a server and back: a few frames on a busy machine.
  expect(took).toBeLessThan(500);
  await expect(his.message('here I am')).toBeInViewport();
  await expect(his.composer).toHaveValue('');
  expect(await bodies(world)).toEqual(['ready']);
  posts.go();
  await expect.poll(() => bodies(world)).toEqual(['ready', 'here I am']);
  await expect(his.message('here I am')).toHaveCount(1);
});

test('sending / sent / failed with Retry and Discard', async ({ world }) => {
  const his = await world.lins('/');
  const ears = await deafen(his.page);
  await begun(world, await his.open(world.urls[1], world.room));
  const posts = await holdPosts(his.page);
  ears.deafen();
  await his.say('one');
  await expect(his.row('one')).toContainText('Sending…');
  posts.go();
  await expect(his.row('one').locator('.fate')).toHaveText('Sent');
  ears.tell();
  await expect(his.row('one').locator('.fate')).toHaveCount(0);

  ears.deafen();
  await shutOut(world);
  for (const text of ['two', 'three']) {
    await his.say(text);
    await expect(his.row(text).getByRole('alert')).toContainText('Not sent.');
  }
  await his.row('three').getByRole('button', { name: 'Discard' }).click();
  await expect(his.message('three')).toHaveCount(0);
  await letIn(world);
  await his.row('two').getByRole('button', { name: 'Retry' }).click();
  await expect.poll(() => bodies(world)).toEqual(['ready', 'one', 'two']);
  ears.tell();
  await expect(his.row('two').locator('.fate')).toHaveCount(0);
  await his.page.reload();
  await expect.poll(() => his.texts(/^(one|two|three)$/)).toEqual(['one', 'two']);
});

test('unsent messages survive a reload, go out in order per room, one at a time', async ({ world }) => {
  const other = await world.anotherRoom('pier');
  const hers = await world.adas();
  const his = await begun(world, await world.lins());
  const { page } = his;
  await page.route(POST, (route) => route.abort('connectionfailed'));
  for (const text of ['one', 'two', 'three']) await his.say(text);
  await live(world.api, world.ada, other, await his.open(world.urls[1], other));
  await his.say('elsewhere');
  await expect(his.row('elsewhere')).toContainText('Not sent yet');
  await his.open(world.urls[1], world.room);
  for (const text of ['one', 'two', 'three']) await expect(his.message(text)).toHaveCount(1);
  expect(await bodies(world)).toEqual(['ready']);

  await page.unroute(POST);
  const asked: string[] = [];
  let [open, most] = [0, 0];
  await page.route(POST, async (route) => {
    const body = new URLSearchParams(route.request().postData() ?? '');
    if (body.get('room') !== world.room.slug) return route.continue();
    asked.push(body.get('body')!);
    most = Math.max(most, ++open);
    const answer = await route.fetch();
    open -= 1;
    await route.fulfill({ response: answer });
  });
  await page.reload();
  await expect.poll(() => bodies(world), { timeout: 20_000 }).toEqual(['ready', 'one', 'two', 'three']);
  await expect.poll(() => bodies(world, other)).toEqual(['ready', 'elsewhere']);
  expect({ asked, most }).toEqual({ asked: ['one', 'two', 'three'], most: 1 });
  for (const shown of [his, hers]) await expect.poll(() => shown.texts(/^(one|two|three)$/)).toEqual(['one', 'two', 'three']);
});

test('what the server refused is never retried by itself', async ({ world }) => {
  const his = await world.lins('/');
  const ears = await deafen(his.page);
  await begun(world, await his.open(world.urls[1], world.room));
  let asked = 0;
  his.page.on('request', (request) => (asked += Number(request.url().endsWith('/api/fn/post'))));
  ears.deafen();
  await shutOut(world);
  await his.say('unwanted');
  await expect(his.row('unwanted').getByRole('alert')).toContainText('Not sent.');
  expect(asked).toBe(1);
  await letIn(world);
  // Neither a new page nor a new connection tries again, though it would be taken now.
  await his.page.reload();
  await expect(his.row('unwanted').getByRole('alert')).toContainText('Not sent.');
  world.way.cut();
  await expect(his.page.getByRole('button', { name: 'Retry' })).toHaveCount(2);
  world.way.heal();
  await his.page.evaluate(() => dispatchEvent(new Event('online')));
  await begun(world, his);
  expect(asked).toBe(1);
  await his.row('unwanted').getByRole('button', { name: 'Retry' }).click();
  await expect.poll(() => bodies(world)).toContain('unwanted');
});
