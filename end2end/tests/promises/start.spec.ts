// From nothing to the first message.
import { unique } from '../../support/api.ts';
import { signOutButton } from '../../support/pages.ts';
import { newCluster, Server } from '../../support/server.ts';
import { complaints, expect, plain, test } from '../../support/world.ts';

test.use(complaints(/status of (403|404)/));

const withNewNode = test.extend<{ node: Server }>({
  /** Of an installation that nobody has been at. */
  node: async ({}, use) => {
    const cluster = await newCluster();
    const node = await Server.node('node-new', cluster.settings);
    await use(node);
    await node.stop();
    await cluster.dispose();
  },
});

withNewNode('first visitor becomes admin through a one-time link that the server prints', plain, async ({ node, newPerson }) => {
  const printed = () => node.printed(/http:\/\/\S+\/register\?admin=\S+/);
  // It may be ready before what it prints has come here.
  await expect.poll(printed).toBeTruthy();
  const link = printed()!;
  const [first, second] = [await newPerson(), await newPerson()];
  for (const page of [first, second]) {
    await page.goto(link);
    await page.getByLabel('User name').fill(unique('first'));
    await page.getByLabel('Password').fill('correct horse battery');
    await page.getByRole('main').getByRole('button', { name: 'Register' }).click();
    if (page === first) await expect(signOutButton(page)).toBeVisible();
  }
  await first.goto(new URL('/admin', link).href);
  await expect(first.getByRole('main').locator('.badge')).toHaveText('Administrator');
  await expect(second.getByRole('alert')).toContainText('not valid any more');
});

test('one-click guest', plain, async ({ world }) => {
  const shown = await world.visitors('/');
  await shown.page.getByRole('button', { name: 'Come in as a guest' }).click();
  await expect(signOutButton(shown.page)).toBeVisible();
  await expect(shown.page.getByText('Guest', { exact: true }).first()).toBeVisible();

  const other = await world.visitors();
  await other.enterAsGuest();
  await other.say('a guest was here');
  await expect(other.message('a guest was here')).toHaveCount(1);
  await expect.poll(async () => (await world.api.history(world.room, world.ada)).map(({ body }) => body)).toEqual(['a guest was here']);
});

test('a seeded #welcome', plain, async ({ world }) => {
  const shown = await world.visitors('/');
  await world.link(shown.page, { id: '', slug: 'welcome', name: 'welcome' }).click();
  await expect(shown.page.getByRole('heading', { name: 'welcome' })).toBeVisible();
  await shown.enterAsGuest();
  const text = unique('hello');
  await shown.say(text);
  await expect(shown.message(text)).toHaveCount(1);
  for (const url of world.urls) expect((await fetch(`${url}/rooms/welcome`)).status).toBe(200);
});

test('invite link', plain, async ({ world }) => {
  const room = await world.api.room(world.ada, unique('cabin'), 'private');
  await world.said(world.ada, room, 'for those who were invited');
  const { page } = await world.adas(`/rooms/${room.slug}/settings`);
  await page.getByRole('button', { name: 'Make a link' }).click();
  const { pathname } = new URL((await page.locator('.link-text').textContent())!);

  const guest = await world.visitors(`/rooms/${room.slug}`);
  await expect(guest.page.getByRole('heading', { name: 'There is nothing here' })).toBeVisible();
  await guest.page.goto(world.urls[2] + pathname);
  await guest.page.getByRole('button', { name: 'Come in as a guest' }).click();
  await guest.page.getByRole('button', { name: `Join #${room.name}` }).click();
  await expect(guest.message('for those who were invited')).toBeVisible();
  await guest.say('thank you');
  await expect(guest.message('thank you')).toHaveCount(1);
});
