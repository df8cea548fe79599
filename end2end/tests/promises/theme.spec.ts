// Light and dark, and pages for browsers that run no scripts.
import type { Page } from '@playwright/test';
import { unique } from '../../support/api.ts';
import { RoomPage, signIn, signOutButton } from '../../support/pages.ts';
import { png } from '../../support/pictures.ts';
import { complaints, expect, plain, test } from '../../support/world.ts';

test.use(complaints(/status of 40[34]/));

const LIGHT = 'oklch(0.985 0.004 95)';
const DARK = 'oklch(0.19 0.012 255)';
const background = (page: Page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor);

test('light / dark / system without a flash', plain, async ({ world, javaScriptEnabled }) => {
  const { page } = await world.lins('/');
  const choose = (choice: string) => page.getByRole('form', { name: 'Light or dark pages' }).getByRole('button', { name: choice }).click();
  const chosen = page.getByRole('form', { name: 'Light or dark pages' }).getByRole('button', { pressed: true });
  await page.emulateMedia({ colorScheme: 'dark' });
  expect(await background(page)).toBe(DARK);
  await page.emulateMedia({ colorScheme: 'light' });
  expect(await background(page)).toBe(LIGHT);
  await choose('Dark');
  await expect(chosen).toHaveText('Dark');
  expect(await background(page)).toBe(DARK);

  // Against the system's wish, in the first byte, with a style sheet that painting waits for.
  const [answer] = await Promise.all([page.waitForResponse((answer) => answer.url().endsWith('/rooms/welcome')), page.goto(`${world.urls[1]}/rooms/welcome`)]);
  const html = await answer.text();
  expect(html).toMatch(/<html[^>]* data-theme="dark"/);
  expect(html.slice(0, html.indexOf('<body'))).toMatch(/<link [^>]*rel="stylesheet"/);
  expect(await background(page)).toBe(DARK);
  if (javaScriptEnabled) {
    // What each frame had, from the first.
    await page.addInitScript(() => {
      const frames: string[] = [];
      Object.assign(window, { frames_: frames });
      const look = () => {
        if (document.body) frames.push(getComputedStyle(document.body).backgroundColor);
        requestAnimationFrame(look);
      };
      requestAnimationFrame(look);
    });
    await page.reload();
    await expect.poll(() => page.evaluate(() => (window as unknown as { frames_: string[] }).frames_.length)).toBeGreaterThan(20);
    expect(await page.evaluate(() => [...new Set((window as unknown as { frames_: string[] }).frames_)])).toEqual([DARK]);
  }
  await page.goto(world.urls[1]);
  await choose('System');
  await expect(chosen).toHaveText('System');
  expect(await background(page)).toBe(LIGHT);
});

test.describe('every page readable and every form usable without JavaScript', () => {
  test.use({ javaScriptEnabled: false });

  test('pages', async ({ world, eve, newPerson }) => {
    const { ada, room } = world;
    await world.said(ada, room, 'to be read by everybody');
    const link = (await (await world.api.call('POST', `/rooms/${room.id}/invites`, ada.token, {})).json()) as { url: string };
    const [hers, visitors, admins] = [await newPerson(ada), await newPerson(), await newPerson(eve)];
    for (const [page, path, text] of [
      [hers, '/', room.name],
      [hers, `/rooms/${room.slug}`, 'to be read by everybody'],
      [visitors, `/rooms/${room.slug}`, 'to be read by everybody'],
      [visitors, '/', 'A place to talk'],
      [hers, '/rooms', 'welcome'],
      [hers, '/search?q=everybody', 'to be read by'],
      [visitors, '/search', 'Search'],
      [hers, `/rooms/${room.slug}/settings`, 'Room settings'],
      [visitors, `/rooms/${room.slug}/settings`, 'About this room'],
      [visitors, new URL(link.url).pathname, room.name],
      [visitors, '/invite/never-made', 'no longer good'],
      [hers, '/me', 'Your account'],
      [admins, '/admin', 'People'],
      [admins, '/admin/log', 'administrators'],
      [admins, '/admin/rooms', 'All rooms'],
      [visitors, '/login', 'Sign in'],
      [visitors, '/register', 'Register'],
      [visitors, '/nowhere', 'There is nothing here'],
    ] as const) {
      await page.goto(world.urls[0] + path);
      await expect(page.getByRole('main'), path).toContainText(text);
      await expect(page.getByRole('main').getByText(text).first(), path).toBeVisible();
      const wider = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      expect(wider, `${path} is wider than the screen`).toBeLessThanOrEqual(0);
    }
  });

  test('messages', async ({ world }) => {
    const { ada, room } = world;
    await world.said(ada, room, ...Array.from({ length: 55 }, (_, n) => `line ${n + 1}.`));
    const his = await world.lins(`/rooms/${room.slug}?latest=1`);
    const { page } = his;
    const open = async (text: string) => {
      await his.row(text).hover();
      await his.row(text).locator('.menu > summary').click();
    };
    await page.getByRole('link', { name: 'Older messages' }).click();
    await expect(his.message('line 1.')).toBeVisible();
    await his.open(world.urls[1], room);
    await his.say('mine');
    await expect(his.message('mine')).toHaveCount(1);
    await open('mine');
    await his.row('mine').getByText('Edit', { exact: true }).click();
    await his.row('mine').getByRole('textbox', { name: 'New text' }).fill('mine, and better');
    await his.row('mine').getByRole('button', { name: 'Save' }).click();
    await expect(his.message('mine, and better')).toContainText('(edited)');
    await open('line 55.');
    await his.row('line 55.').getByRole('button', { name: 'thumbs up' }).click();
    await expect(his.row('line 55.').getByRole('button', { name: /👍/, pressed: true })).toBeVisible();
    await open('line 55.');
    await his.row('line 55.').getByRole('link', { name: 'Reply', exact: true }).click();
    await expect(page.getByText('Replying to Ada')).toBeVisible();
    await his.say('an answer');
    await expect(his.row('an answer').locator('.quote')).toContainText('line 55.');
    await open('an answer');
    await his.delete('an answer');
    await expect(his.message('an answer')).toHaveCount(0);
    await page.getByText('Add a file').click();
    await page.getByLabel('File', { exact: true }).setInputFiles({ name: 'pier.png', mimeType: 'image/png', buffer: png(60, 40) });
    await page.getByRole('button', { name: 'Send with file' }).click();
    await expect(his.timeline.getByRole('img', { name: 'pier.png' })).toBeVisible();
  });

  test('rooms', async ({ world }) => {
    const { ada, lin, urls } = world;
    const { page } = await world.adas('/');
    const name = unique('Garden');
    await page.getByLabel('Name', { exact: true }).fill(name);
    await page.getByRole('button', { name: 'Create room' }).click();
    const hers = new RoomPage(page);
    await hers.say('a first word');
    await expect(hers.message('a first word')).toHaveCount(1);
    const slug = new URL(page.url()).pathname;

    const his = await world.lins('/rooms');
    await his.page.getByLabel('Name or topic').fill(name);
    await his.page.getByRole('button', { name: 'Find' }).click();
    await his.page.getByRole('button', { name: `Join #${name}` }).click();
    await expect(his.message('a first word')).toBeVisible();
    await (await world.members(his.page)).getByRole('button', { name: 'Leave this room' }).click();
    await his.page.goto(urls[1] + slug);
    await expect(his.composer).toHaveCount(0);

    await page.goto(`${urls[0]}${slug}/settings`);
    await page.getByLabel('Topic').fill('What grows');
    await page.getByRole('button', { name: 'Save' }).click();
    await expect(page.getByRole('status')).toHaveText('Saved.');
    await page.getByLabel('Add somebody').fill(`@${lin.username}`);
    await page.getByRole('button', { name: 'Add', exact: true }).click();
    await expect(page.getByRole('listitem').filter({ hasText: `@${lin.username}` })).toBeVisible();
    await page.getByRole('button', { name: 'Make a link' }).click();
    await page.getByRole('button', { name: 'Take back' }).click();
    await expect(page.getByRole('status')).toHaveText('The link is good no more.');
    await page.getByLabel('Yes, nobody is to write').check();
    await page.getByRole('button', { name: 'Archive this room' }).click();
    await expect(page.getByText('This room is archived')).toBeVisible();
    await page.getByRole('button', { name: 'Use this room again' }).click();
    await expect(page.getByRole('button', { name: 'Archive this room' })).toBeVisible();

    await his.page.goto(urls[1]);
    await his.page.locator('#direct').getByLabel('User name').fill(ada.username);
    await his.page.getByRole('button', { name: 'Open the conversation' }).click();
    await his.say('only you');
    await expect(his.message('only you')).toBeVisible();
  });

  test('oneself', async ({ world }) => {
    const { ada, lin, room, urls } = world;
    const { page } = await world.lins('/me');
    await page.getByLabel('Old password').fill(lin.password);
    await page.getByLabel('New password').fill('another good one');
    await page.getByRole('button', { name: 'Change password' }).click();
    await expect(page.getByRole('status')).toContainText('Your password is changed.');
    await page.goto(urls[1]);
    await signOutButton(page).click();
    await expect(signOutButton(page)).toHaveCount(0);
    await signIn(page, urls[1], lin.username, 'another good one');
    const other = await world.visitors('/login');
    await signIn(other.page, urls[2], lin.username, 'another good one');
    await expect(signOutButton(other.page)).toBeVisible();
    await page.goto(`${urls[1]}/me`);
    await page.getByRole('button', { name: 'End all others' }).click();
    await expect(page.getByRole('status')).toHaveText('All other sessions have ended.');
    await world.said(ada, room, 'unread');
    await page.goto(urls[1]);
    await expect(world.badge(page, room)).toHaveText(/^1,/);
    await page.getByRole('button', { name: 'Mark all read' }).click();
    await expect(world.badge(page, room)).toHaveCount(0);
  });
});
