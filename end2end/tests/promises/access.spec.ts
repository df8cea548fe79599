// For everybody: by ear, by keyboard, by touch.
import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from '@playwright/test';
import { live } from '../../support/pages.ts';
import { complaints, expect, plain, test } from '../../support/world.ts';

test.use(complaints());

test('message list `role=log`, quiet while history loads', async ({ world }) => {
  await world.said(world.ada, world.room, ...Array.from({ length: 130 }, (_, n) => `line ${n + 1}.`));
  const hers = await world.adas(`/rooms/${world.room.slug}?latest=1`);
  const { page, timeline } = hers;
  await live(world.api, world.lin, world.room, hers);
  await expect(timeline).toHaveAttribute('aria-busy', 'false');
  await expect(timeline).not.toHaveAttribute('aria-live');
  // Busy before the older messages are put in, until they are all there: what changes meanwhile is not spoken.
  await page.evaluate(() => {
    const log = document.querySelector('[role=log]')!;
    const spoken: string[] = [];
    Object.assign(window, { spoken });
    const note = (changes: MutationRecord[]) => {
      const rows = changes.flatMap((change) => [...change.addedNodes]).filter((node) => node instanceof Element && node.matches('.row'));
      if (log.getAttribute('aria-busy') !== 'true') spoken.push(...rows.map((row) => row.textContent ?? ''));
    };
    new MutationObserver(note).observe(log.querySelector('.rows')!, { childList: true });
  });
  const before = await page.locator('.row').count();
  await expect(async () => {
    await page.locator('.scroller').evaluate((scroller) => scroller.scrollTo(0, -scroller.scrollHeight));
    expect(await page.locator('.row').count()).toBeGreaterThan(before);
  }).toPass();
  await expect(timeline).toHaveAttribute('aria-busy', 'false');
  await world.said(world.lin, world.room, 'to be spoken');
  await expect(hers.message('to be spoken')).toHaveCount(1);
  const spoken = await page.evaluate(() => (window as unknown as { spoken: string[] }).spoken);
  expect(spoken).toEqual([expect.stringContaining('to be spoken')]);
});

test('F6 between landmarks, roving focus, focus returns', async ({ world }) => {
  await world.said(world.ada, world.room, ...Array.from({ length: 70 }, (_, n) => `line ${n + 1}.`), 'second', 'third');
  const hers = await world.adas(`/rooms/${world.room.slug}?latest=1`);
  const { page, composer } = hers;
  await live(world.api, world.lin, world.room, hers);
  const history = page.getByRole('region', { name: 'Message history' });
  await composer.focus();
  if (!world.narrow) {
    await page.keyboard.press('F6');
    await expect(page.getByRole('complementary', { name: 'Members' }).locator(':focus')).toHaveCount(1);
    await page.keyboard.press('F6');
    await expect(world.link(page, world.room)).toBeFocused();
  }
  await page.keyboard.press('F6');
  await expect(history).toBeFocused();
  for (const text of ['ready', 'third', 'second']) {
    await page.keyboard.press('ArrowUp');
    await expect(page.locator(':focus')).toContainText(text);
  }
  await page.keyboard.press('ArrowDown');
  await expect(page.locator(':focus')).toContainText('third');
  // One stop in the order of Tab: the next is what can be done to that message, or its own link.
  await page.keyboard.press('Tab');
  await expect(page.locator('.row', { hasText: 'third' }).locator(':focus')).toHaveCount(1);
  const summary = page.locator('.row', { hasText: 'third' }).locator('.menu > summary');
  await summary.focus();
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Escape');
  await expect(summary).toBeFocused();
  await page.keyboard.press('F6');
  await expect(composer).toBeFocused();
  await page.keyboard.press('Control+k');
  await expect(page.getByRole('combobox', { name: 'Room' })).toBeFocused();
  await page.keyboard.press('Escape');
  await expect(composer).toBeFocused();
  if (world.narrow) {
    const button = page.getByRole('button', { name: /member/ });
    await button.focus();
    await page.keyboard.press('Enter');
    await expect(page.locator('#members')).toBeVisible();
    await page.keyboard.press('Escape');
    await expect(button).toBeFocused();
  }

  // Up into the past, older messages come in above, and the focus stays in the row where it is.
  await history.focus();
  const rows = await page.locator('.row').count();
  for (let n = 0; n < rows; n++) await page.keyboard.press('ArrowUp');
  await expect.poll(() => page.locator('.row').count()).toBeGreaterThan(rows);
  const before = await page.locator('.row:focus').textContent();
  await page.keyboard.press('ArrowUp');
  await expect(page.locator('.row:focus')).toHaveCount(1);
  expect(await page.locator('.row:focus').textContent()).not.toBe(before);
});

/** What can be pressed and is smaller than a fingertip. Links in a line of text are as high as the line. */
const small = (page: Page) =>
  page.evaluate(() => {
    const all = document.querySelectorAll<HTMLElement>('a[href], button, input:not([type=hidden]), select, textarea, summary');
    const seen = [...all].filter((element) => element.checkVisibility({ visibilityProperty: true }) && !element.closest('.body, p:not(.fate), .visually-hidden, .skip'));
    const target = (element: HTMLElement) => element.closest('label') ?? element;
    const sized = seen.map((element) => ({ element, box: target(element).getBoundingClientRect() }));
    const few = sized.filter(({ box }) => box.width > 0 && (box.width < 24 || box.height < 24));
    return few.map(({ element, box }) => `${element.outerHTML.slice(0, 120)}: ${box.width} × ${box.height}`);
  });

/** What axe finds in a page as it is. It waits by timers: where a page was read without scripts, it runs by itself. */
async function examine(page: Page, scripts: boolean) {
  const devtools = await page.context().newCDPSession(page);
  const allow = (value: boolean) => devtools.send('Emulation.setScriptExecutionDisabled', { value: !value });
  // This session of Chromium's tools would not change what it has not set itself.
  await allow(false);
  await allow(true);
  const { violations, passes } = await new AxeBuilder({ page }).setLegacyMode().withRules(['color-contrast', 'target-size']).analyze();
  await allow(scripts);
  await devtools.detach();
  expect(passes.map(({ id }) => id)).toContain('color-contrast');
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join('\n')}`);
}

test('AA contrast, targets ≥ 24 px', plain, async ({ world, javaScriptEnabled }) => {
  const { ada, lin, room, api } = world;
  const [id] = await world.said(ada, room, `hello @${lin.username}, see [the pier](https://example.org) and \`code\``, 'and a second');
  await api.call('PUT', `/rooms/${room.id}/messages/${id}/reactions/${encodeURIComponent('👍')}`, ada.token);
  await world.said(ada, await world.anotherRoom('pier'), `@${lin.username}`);
  const { page } = await world.lins();
  for (const path of [`/rooms/${room.slug}`, '/', '/search?q=pier', `/rooms/${room.slug}/settings`, '/me', '/rooms']) {
    await page.goto(world.urls[1] + path);
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      expect(await examine(page, javaScriptEnabled), `${path} ${colorScheme}`).toEqual([]);
    }
    expect(await small(page), path).toEqual([]);
  }
});

test('reduced motion', plain, async ({ world }) => {
  await world.said(world.ada, world.room, 'hello');
  const { page } = await world.lins();
  const moving = () =>
    page.evaluate(() =>
      [...document.querySelectorAll('*')].flatMap((element) => {
        const { transitionDuration, animationDuration, animationName, scrollBehavior } = getComputedStyle(element);
        const still = /^(0s, )*0s$/.test(transitionDuration) && (animationName === 'none' || animationDuration === '0s') && scrollBehavior === 'auto';
        return still ? [] : [element.className];
      }).length,
    );
  await page.emulateMedia({ reducedMotion: 'no-preference' });
  expect(await moving()).toBeGreaterThan(0);
  await page.emulateMedia({ reducedMotion: 'reduce' });
  expect(await moving()).toBe(0);
});

test('one pane on a phone', plain, async ({ world }) => {
  await world.said(world.ada, world.room, 'hello');
  const his = await world.lins();
  const { page } = his;
  const panes = [page.locator('.sidebar'), page.locator('main'), page.locator('#members')];
  const seen = () => Promise.all(panes.map((pane) => pane.isVisible()));
  if (!world.narrow) {
    expect(await seen()).toEqual([true, true, true]);
    await page.setViewportSize({ width: 390, height: 844 });
  }
  expect(await seen()).toEqual([false, true, false]);
  expect(await page.locator('main').boundingBox()).toEqual({ x: 0, y: 0, width: 390, height: 844 });
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
  await expect(his.composer).toBeInViewport({ ratio: 1 });
  await page.getByRole('button', { name: /member/ }).click();
  await expect(panes[2]!).toBeVisible();
  await page.getByRole('button', { name: 'Close' }).click();
  await expect(panes[2]!).toBeHidden();
  await page.getByRole('link', { name: 'Your rooms' }).click();
  await expect(page.getByRole('main').getByRole('link', { name: world.room.name })).toBeVisible();
  await expect(his.timeline).toHaveCount(0);
  await page.getByRole('main').getByRole('link', { name: world.room.name }).click();
  await expect(his.message('hello')).toBeVisible();
});
