// The connection goes, and comes back.
import type { Page } from '@playwright/test';
import { unique } from '../../support/api.ts';
import type { RoomPage } from '../../support/pages.ts';
import { complaints, CUT, expect, test, type World } from '../../support/world.ts';

test.use(complaints(CUT));

/** Pauses are as long as chance can make them, or as short. */
const chance = (page: Page, value: number) =>
  page.addInitScript((value) => Object.assign(Math, { random: () => value }), value);

async function connected(world: World, luck: number): Promise<RoomPage> {
  const his = await world.lins('/login');
  await chance(his.page, luck);
  await his.open(world.urls[1], world.room);
  // Of its own for each page: the one before may have brought the first page's in its first HTML.
  await expect(his.page.locator('.switch')).toBeEnabled();
  const text = unique('heard');
  await world.said(world.ada, world.room, text);
  await expect(his.message(text)).toHaveCount(1);
  return his;
}

const banner = (page: Page) => page.locator('.banner-region');
/** Seconds until the next try, as the page says. */
const countdown = async (page: Page) => Number(/Next try in (\d+) s/.exec((await banner(page).textContent()) ?? '')?.[1] ?? 0);

test('banner after 2 s: state, countdown, Retry', async ({ world }) => {
  const his = await connected(world, 1);
  const { page } = his;
  const appeared = page.evaluate(async () => {
    const began = performance.now();
    while (!document.querySelector('.banner')) await new Promise(requestAnimationFrame);
    return performance.now() - began;
  });
  world.way.cut();
  await expect(banner(page)).toContainText('No connection. What you write is kept and sent later.');
  const after = await appeared;
  expect(after).toBeGreaterThan(1_800);
  expect(after).toBeLessThan(4_000);
  await expect.poll(() => countdown(page), { intervals: [50] }).toBe(4);
  const seen = new Set<number>();
  await expect.poll(async () => [...seen.add(await countdown(page))], { intervals: [50] }).toEqual([4, 3, 2]);
  await expect(banner(page)).toHaveRole('status');

  await expect.poll(() => countdown(page), { intervals: [50] }).toBeGreaterThan(5);
  world.way.heal();
  const back = Date.now();
  await page.getByRole('button', { name: 'Retry' }).click();
  await expect(banner(page)).toBeEmpty({ timeout: 3_000 });
  expect(Date.now() - back, 'long before the countdown').toBeLessThan(3_000);
  await world.said(world.ada, world.room, 'hello again');
  await expect(his.message('hello again')).toHaveCount(1);
});

test('jittered backoff', async ({ world }) => {
  const pages = [(await connected(world, 0)).page, (await connected(world, 1)).page];
  const tries = pages.map((page) => {
    const times: number[] = [];
    page.on('websocket', () => times.push(Date.now()));
    return times;
  });
  world.way.cut();
  await expect.poll(() => tries.map((times) => times.length >= 4), { intervals: [100], timeout: 30_000 }).toEqual([true, true]);
  const pauses = tries.map((times) => times.slice(1).map((time, n) => time - times[n]!));
  // Doubling from half a second to 15 s, each by chance between its half and its whole.
  for (const [n, whole] of [1_000, 2_000, 4_000].entries()) {
    const [least, most] = [pauses[0]![n]!, pauses[1]![n]!];
    expect(least).toBeGreaterThanOrEqual(whole / 2 - 50);
    expect(least).toBeLessThan(whole * 0.9);
    expect(most).toBeGreaterThanOrEqual(whole - 50);
    expect(most).toBeLessThan(whole * 1.5);
  }
});

test('also on waking from sleep (`visibilitychange`, `online`)', async ({ world }) => {
  const his = await connected(world, 1);
  const { page } = his;
  const wake = (event: string) => page.evaluate((event) => document.dispatchEvent(new Event(event, { bubbles: true })), event);
  for (const event of ['visibilitychange', 'online']) {
    world.way.cut();
    await expect.poll(() => countdown(page), { intervals: [50] }).toBeGreaterThanOrEqual(3);
    world.way.heal();
    await wake(event);
    await expect(banner(page)).toBeEmpty({ timeout: 2_000 });
  }
  // Asleep, it did not hear the connection end: nothing tells it, but that nobody answers.
  world.way.hush();
  await world.said(world.ada, world.room, 'while it slept');
  await expect(his.message('while it slept')).toHaveCount(0);
  await wake('visibilitychange');
  await expect(his.message('while it slept')).toHaveCount(1, { timeout: 12_000 });
});
