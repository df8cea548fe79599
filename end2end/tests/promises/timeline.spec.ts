// Reading a room.
import type { Page } from '@playwright/test';
import { mark } from '../../support/fixtures.ts';
import { live, type RoomPage } from '../../support/pages.ts';
import { complaints, CUT, expect, plain, test } from '../../support/world.ts';

test.use(complaints(CUT));

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
/** Yesterday at noon, by the clock of these pages. */
const NOON = Math.floor(Date.now() / DAY) * DAY - DAY / 2;

const lines = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, n) => `line ${from + n}.`);
const LINE = /^line \d+\.$/;

/** Where a row is on the screen. */
const top = async (shown: RoomPage, text: string) => (await shown.message(text).boundingBox())?.y ?? NaN;

/** Scrolls up by about this much, as a wheel does. */
async function scrollUp(page: Page, pixels: number) {
  await page.locator('.scroller').hover();
  await page.mouse.wheel(0, -pixels);
}

test('grouped by author within 5 min', plain, async ({ world }) => {
  const { ada, lin, room } = world;
  const ids = [
    ...(await world.said(ada, room, 'one', 'two', 'three')),
    ...(await world.said(lin, room, 'four', 'five')),
  ];
  for (const [n, minutes] of [0, 4, 10, 11, 15].entries()) await world.date(ids[n]!, NOON + minutes * MINUTE);
  const his = await world.lins();
  const heads = his.page.getByRole('article').locator('.author');
  await expect(heads).toHaveText(['Ada', 'Ada', 'Lin']);
  for (const [text, named] of Object.entries({ one: true, two: false, three: true, four: true, five: false })) {
    await expect(his.row(text).locator('.author')).toHaveCount(named ? 1 : 0);
  }
});

test('day dividers', plain, async ({ world, javaScriptEnabled }) => {
  const ids = await world.said(world.ada, world.room, 'long ago', 'yesterday', 'yesterday too', 'today');
  for (const [n, days] of [9, 0, 0].entries()) await world.date(ids[n]!, NOON - days * DAY + n);
  const { page } = await world.lins(`/rooms/${world.room.slug}?latest=1`);
  const named = (time: number) => {
    const options = { day: 'numeric', month: 'long', timeZone: 'UTC' } as const;
    const also = javaScriptEnabled ? ({ weekday: 'long' } as const) : ({ year: 'numeric' } as const);
    return new Intl.DateTimeFormat('en-GB', { ...options, ...also }).format(time);
  };
  const near = javaScriptEnabled ? ['Yesterday', 'Today'] : [named(NOON), named(Date.now())];
  await expect(page.locator('.day')).toHaveText([named(NOON - 9 * DAY), ...near]);
  // Each before the first message of its day.
  const order = await page.locator('.day, .body').allTextContents();
  expect(order.map((text) => text.trim()).filter((text) => /^(long|yes|today$)/.test(text))).toEqual(['long ago', 'yesterday', 'yesterday too', 'today']);
  await expect(page.locator('.row', { has: page.locator('.day') }).locator('.body')).toHaveText(['long ago', 'yesterday', 'today']);
});

test('"new" line, opens at the first unread', plain, async ({ world, javaScriptEnabled }) => {
  const { ada, lin, room, api } = world;
  const seen = await api.post(ada, room, 'seen already');
  await api.call('PUT', `/rooms/${room.id}/read`, lin.token, { at: seen.at });
  await world.said(ada, room, ...lines(1, javaScriptEnabled ? 70 : 5));
  const his = await world.lins();
  const line = his.page.getByRole('separator').filter({ hasText: 'New' });
  await expect(line).toBeInViewport();
  await expect(his.message('line 1.')).toBeInViewport();
  await expect(his.page.locator('.row', { has: line }).locator('.body')).toHaveText('line 1.');
  if (javaScriptEnabled) await expect(his.message('line 70.')).not.toBeInViewport();
});

test('jump to latest with count', async ({ world }) => {
  const { ada, room, api } = world;
  await world.said(ada, room, ...lines(1, 40));
  const hers = await world.adas();
  await live(api, world.lin, room, hers);
  const jump = hers.page.getByRole('button', { name: /^Jump to latest/ });
  await expect(jump).toHaveCount(0);
  await scrollUp(hers.page, 600);
  await expect(jump).toBeVisible();
  const before = await top(hers, 'line 30.');
  await world.said(world.lin, room, 'and one', 'and two', 'and three');
  await expect(jump.locator('.count')).toHaveText('3');
  expect(Math.abs((await top(hers, 'line 30.')) - before)).toBeLessThan(3);
  await jump.click();
  await expect(hers.message('and three')).toBeInViewport();
  await expect(jump).toHaveCount(0);
});

test('older history loads without a jump', async ({ world }) => {
  await world.said(world.ada, world.room, ...lines(1, 130));
  const hers = await world.adas(`/rooms/${world.room.slug}?latest=1`);
  await live(world.api, world.lin, world.room, hers);
  let release = () => {};
  const held = new Promise<void>((go) => (release = go));
  await hers.page.route('**/api/fn/history', async (route) => {
    await held;
    await route.continue();
  });
  await expect(async () => {
    await scrollUp(hers.page, 1500);
    await expect(hers.timeline).toHaveAttribute('aria-busy', 'true', { timeout: 300 });
  }).toPass();
  // Until the wheel's way is over.
  const place = () => hers.page.locator('.scroller').evaluate((scroller) => scroller.scrollTop);
  await expect.poll(async () => (await place()) - (await hers.page.waitForTimeout(300).then(place))).toBe(0);
  const count = await hers.page.locator('.row').count();
  // The first text that is seen, from frame to frame while what is before it comes. Its row may lose its head by that:
  // the day begins earlier now, and the author spoke before.
  const watched = hers.page.evaluate(async (count) => {
    const scroller = document.querySelector('.scroller')!;
    const edge = scroller.getBoundingClientRect().top;
    const rows = () => [...document.querySelectorAll('.row')];
    const first = rows().map((row) => row.querySelector('.body')!).find((body) => body.getBoundingClientRect().top > edge)!;
    const tops: number[] = [];
    let last = 0;
    for (let after = 0; after < 10 && last < 600; last++) {
      await new Promise(requestAnimationFrame);
      tops.push(first.getBoundingClientRect().top);
      if (rows().length > count) after++;
    }
    return { more: rows().length - count, moved: Math.max(...tops) - Math.min(...tops) };
  }, count);
  release();
  const { more, moved } = await watched;
  expect(more).toBeGreaterThan(20);
  expect(moved).toBeLessThan(3);
  const texts = await hers.texts(LINE);
  expect(texts).toEqual(lines(131 - texts.length, 130));
});

test('permalink with highlight', plain, async ({ world }) => {
  const ids = await world.said(world.ada, world.room, ...lines(1, 90));
  const path = `/rooms/${world.room.slug}/m/${ids[19]}`;
  const hers = await world.adas(path);
  await expect(hers.row('line 15.').locator('.stamp')).toHaveAttribute('href', `/rooms/${world.room.slug}/m/${ids[14]}`);
  const his = await world.lins(path);
  await expect(his.page.locator('.highlight .body')).toHaveText('line 20.');
  await expect(his.message('line 20.')).toBeInViewport();
  const [lit, plainly] = [his.page.locator('.highlight .message'), his.page.locator('.row:not(.highlight) .message').first()];
  const background = (row: typeof lit) => row.evaluate((element) => getComputedStyle(element).backgroundColor);
  expect(await background(lit)).not.toBe(await background(plainly));
});

test('holes after reconnect are filled in place', async ({ world }) => {
  const { ada, room, api, way } = world;
  await world.said(ada, room, ...lines(1, 40));
  const his = await world.lins();
  await live(api, ada, room, his);
  const stayed = await mark(his.page);
  await scrollUp(his.page, 500);
  const before = await top(his, 'line 30.');
  way.cut();
  await world.said(ada, room, 'missed one', 'missed two', 'missed three');
  await expect(his.page.getByText('No connection.')).toBeVisible();
  const banner = (await his.page.locator('.banner').boundingBox())!.height;
  await expect.poll(async () => Math.abs((await top(his, 'line 30.')) - before)).toBeLessThan(banner + 3);
  way.heal();
  // Unless it came back by itself just before.
  await his.page.locator('.banner').getByRole('button', { name: 'Retry' }).click({ timeout: 5_000 }).catch(() => {});
  await expect(his.page.locator('.banner')).toHaveCount(0);
  await world.said(ada, room, 'heard again');
  await expect.poll(() => his.texts(/^(ready|missed|heard)/)).toEqual(['ready', 'missed one', 'missed two', 'missed three', 'heard again']);
  await expect.poll(async () => Math.abs((await top(his, 'line 30.')) - before)).toBeLessThan(3);
  expect(await stayed(), 'the page was not loaded anew').toBe(true);
});
