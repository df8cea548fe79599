// How the page feels, in figures: `make measure` runs it and keeps end2end/BROWSER.md. No figure fails it.
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { type Account, Api, messageId, type Room } from '../../support/api.ts';
import { expect, test as base } from '../../support/fixtures.ts';
import { RoomPage } from '../../support/pages.ts';
import { Server } from '../../support/server.ts';

const long = Number(process.env.MESSAGES ?? 100_000);
const back = 5_000;

const test = base.extend<object, { server: Server }>({
  server: [
    async ({}, use) => {
      const server = await Server.embedded({ PARTYLINE_MESSAGES_PER_SECOND: '0' });
      await use(server);
      await server.stop();
    },
    { scope: 'worker', timeout: 60_000 },
  ],
});

const rows: string[] = [];
const row = (what: string, ...figures: (string | number)[]) => rows.push(`| ${[what, ...figures].join(' | ')} |`);
const ms = (value: number) => `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;

/** What the browser notes of a page from its first moment on. */
async function observe(page: Page): Promise<void> {
  await uncover(page);
  await page.addInitScript(() => {
    const noted = { lcp: 0, cls: 0, events: [] as number[], long: [] as number[], frames: [] as number[] };
    Object.assign(window, { noted });
    const on = (type: string, take: (entry: any) => void, more = {}) =>
      new PerformanceObserver((list) => list.getEntries().forEach(take)).observe({ type, buffered: true, ...more });
    on('largest-contentful-paint', (entry) => (noted.lcp = entry.startTime));
    on('layout-shift', (entry) => (noted.cls += entry.hadRecentInput ? 0 : entry.value));
    on('event', (entry) => noted.events.push(entry.duration), { durationThreshold: 16 });
    on('longtask', (entry) => noted.long.push(entry.duration));
    let before = performance.now();
    const frame = (now: number) => {
      noted.frames.push(now - before);
      before = now;
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  });
}

/**
 * The window must be larger than the page: a window of the page's size has its own bars in it, and what changes in the
 * part that they cover, where one writes, is never presented, so that events seem to take until something else is.
 */
async function uncover(page: Page): Promise<void> {
  const devtools = await page.context().newCDPSession(page);
  const { windowId } = await devtools.send('Browser.getWindowForTarget');
  await devtools.send('Browser.setWindowBounds', { windowId, bounds: { width: 1400, height: 1100 } });
}

type Noted = { lcp: number; cls: number; events: number[]; long: number[]; frames: number[] };
const noted = (page: Page) => page.evaluate(() => (window as unknown as { noted: Noted }).noted);
const forget = (page: Page) =>
  page.evaluate(() => {
    const { noted } = window as unknown as { noted: Noted };
    noted.frames.length = noted.events.length = noted.long.length = 0;
  });

function share(values: number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
}

const frames = ({ frames, long }: Noted) =>
  [0.5, 0.95, 0.99, 1].map((part) => ms(share(frames, part))).concat(`${long.length}`);

/** A phone of the middle: a quarter of this processor, and a slow mobile network. */
async function slowDown(page: Page): Promise<void> {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('Emulation.setCPUThrottlingRate', { rate: 4 });
  await devtools.send('Network.enable');
  const bytesPerSecond = (1.6 * 1_000_000) / 8;
  await devtools.send('Network.emulateNetworkConditions', {
    offline: false,
    latency: 150,
    downloadThroughput: bytesPerSecond,
    uploadThroughput: bytesPerSecond / 2,
  });
}

async function many(api: Api, who: Account, room: Room, count: number): Promise<string> {
  let next = 0;
  let last = '';
  await Promise.all(
    Array.from({ length: 48 }, async () => {
      while (next < count) {
        const n = next++;
        const text = n % 7 === 0 ? `**${n}** with \`code\` and a [link](https://example.org/${n})` : `Message ${n}, as people write them.`;
        const { at } = await api.post(who, room, text, messageId());
        if (n === count - 1) last = at;
      }
    }),
  );
  return last;
}

test('a page opens', async ({ api, server, newPerson }) => {
  const [ada, lin] = [await api.register('Ada'), await api.register('Lin')];
  const room = await api.room(ada);
  await api.join(lin, room);
  const last = await many(api, ada, room, 60);
  await api.history(room, ada, last);
  for (const slow of [false, true]) {
    const page = await newPerson(lin);
    if (slow) await page.setViewportSize({ width: 390, height: 844 });
    await observe(page);
    if (slow) await slowDown(page);
    await page.goto(`${server.url}/rooms/${room.slug}`);
    await expect(page.locator('.switch')).toBeEnabled({ timeout: 60_000 });
    const hydrated = await page.evaluate(() => performance.now());
    await page.waitForTimeout(1_500);
    const { lcp, cls } = await noted(page);
    const [firstByte, painted, bytes] = await page.evaluate(() => {
      const navigation = performance.getEntriesByType('navigation')[0] as PerformanceNavigationTiming;
      const files = performance.getEntriesByType('resource') as PerformanceResourceTiming[];
      const bytes = files.reduce((sum, file) => sum + file.transferSize, navigation.transferSize);
      return [navigation.responseStart, performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0, bytes];
    });
    await forget(page);
    const text = page.getByRole('textbox', { name: /^Message #/ });
    await text.click();
    await page.keyboard.type('As fast as hands can be, and then some more.', { delay: 30 });
    await page.keyboard.press('Enter');
    await expect(new RoomPage(page).message('As fast as hands can be, and then some more.').last()).toBeVisible();
    await page.waitForTimeout(500);
    const { events } = await noted(page);
    const name = slow ? 'phone (¼ of the processor, 1.6 Mbit/s, 150 ms)' : 'this machine';
    const kilobytes = `${Math.round(bytes / 1000)} kB`;
    row(name, ms(firstByte), ms(painted), ms(lcp), cls.toFixed(3), ms(hydrated), ms(share(events, 0.98)), kilobytes);
    await page.close();
  }
  rows.unshift(
    '| first visit to a room | first byte | FCP | LCP | CLS | hydrated | INP (typing, sending) | in all |',
    '|---|---|---|---|---|---|---|---|',
  );
});

test('a room of very many messages', async ({ api, server, newPerson }) => {
  const [ada, lin] = [await api.register('Ada'), await api.register('Lin')];
  const room = await api.room(ada);
  await api.join(lin, room);
  const half = await many(api, ada, room, long / 2);
  await api.call('PUT', `/rooms/${room.id}/read`, lin.token, { at: half });
  const last = await many(api, ada, room, long / 2);
  for (let n = 0; n < 60; n++) await api.history(room, ada, last);
  await api.call('PUT', `/rooms/${room.id}/read`, ada.token, { at: last });
  rows.push('', `| a room of ${long.toLocaleString('en')} messages | frame p50 | p95 | p99 | longest | tasks over 50 ms | |`);
  rows.push('|---|---|---|---|---|---|---|');

  const page = await newPerson(lin);
  await observe(page);
  const begun = Date.now();
  await page.goto(`${server.url}/rooms/${room.slug}`);
  await expect(page.locator('#new')).toBeInViewport();
  await expect(page.locator('.switch')).toBeEnabled();
  row('opened at the first unread, in the middle', ...frames(await noted(page)), `${Date.now() - begun} ms in all`);

  const owner = await newPerson(ada);
  await observe(owner);
  await owner.goto(`${server.url}/rooms/${room.slug}`);
  await expect(owner.locator('.switch')).toBeEnabled();
  row('opened at its end', ...frames(await noted(owner)), `LCP ${ms((await noted(owner)).lcp)}`);

  await forget(owner);
  await owner.getByRole('region', { name: 'Message history' }).hover();
  const seen = new Set<string>();
  let most = 0;
  const started = Date.now();
  while (seen.size < back && Date.now() - started < 240_000) {
    await owner.mouse.wheel(0, -1_500);
    const ids = await owner.evaluate(() => Array.from(document.querySelectorAll('.rows > .row'), (row) => row.id));
    ids.forEach((id) => seen.add(id));
    most = Math.max(most, ids.length);
  }
  const how = `${seen.size} read in ${Math.round((Date.now() - started) / 1000)} s, ${most} rows at most`;
  row(`scrolled back ${back.toLocaleString('en')}`, ...frames(await noted(owner)), how);
  expect(seen.size).toBeGreaterThanOrEqual(back);

  await owner.getByRole('link', { name: /Jump to latest/ }).click();
  await expect(owner.getByRole('link', { name: /Jump to latest/ })).toHaveCount(0);
  await expect(owner.locator('.row').last()).toBeInViewport();
  await forget(owner);
  const until = Date.now() + 10_000;
  let sent = 0;
  const writers = Array.from({ length: 20 }, async () => {
    while (Date.now() < until) {
      const next = new Promise((over) => setTimeout(over, 100));
      await api.post(ada, room, `one of 200 a second, ${sent++}`);
      await next;
    }
  });
  await Promise.all(writers);
  row('messages arriving', ...frames(await noted(owner)), `${Math.round(sent / 10)} a second`);
});

test.afterAll(async ({ browser }) => {
  const about = `Chromium ${browser.version()} without a graphics card, ${cpus().length} cores, everything on one machine.`;
  const text = `# The page in figures

Made by \`make measure\` (\`MESSAGES=${long}\`). ${about}
Frames are what \`requestAnimationFrame\` sees; INP is the 98th percentile of event durations, in steps of 8 ms and from
16 ms on. The phone is this machine slowed down by Chromium's own throttling.

${rows.join('\n')}
`;
  writeFileSync(join(import.meta.dirname, '../../BROWSER.md'), text);
});
