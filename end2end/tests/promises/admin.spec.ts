// Running an installation: at the first node, while people are at the others.
import type { Locator, Page } from '@playwright/test';
import type { Account } from '../../support/api.ts';
import { unique } from '../../support/api.ts';
import { signIn, signOutButton } from '../../support/pages.ts';
import { complaints, expect, plain, test, type World } from '../../support/world.ts';

test.use(complaints(/status of 40[34]/, /WebSocket connection/));

/** Eve's page about Lin. */
async function found(world: World, page: Page, who: Account): Promise<Locator> {
  await page.goto(`${world.urls[0]}/admin`);
  await page.getByRole('searchbox', { name: 'Name of a person' }).fill(who.username);
  await page.getByRole('main').getByRole('button', { name: 'Search' }).click();
  await expect(page.getByRole('main').getByRole('listitem')).toHaveCount(1);
  return page.getByRole('main').getByRole('listitem').filter({ hasText: `@${who.username}` });
}

test('users', plain, async ({ world, eve, newPerson }) => {
  const page = await newPerson(eve);
  const lin = await found(world, page, world.lin);
  await expect(lin).toContainText('1 session');
  await expect(lin).toContainText(/Here since/);
  await lin.getByRole('button', { name: 'End sessions' }).click();
  await expect(page.getByRole('status')).toContainText(`@${world.lin.username}`);
  await expect(lin).toContainText('not signed in');
  await expect(async () => {
    const his = await world.lins('/');
    await expect(signOutButton(his.page)).toHaveCount(0, { timeout: 500 });
  }).toPass();
  // Nobody else finds these pages.
  const hers = await world.adas('/admin');
  await expect(hers.page.getByRole('heading', { name: 'There is nothing here' })).toBeVisible();
});

test('rooms', plain, async ({ world, eve, newPerson }) => {
  const room = await world.api.room(world.lin, unique('aaa-attic'), 'private');
  await world.said(world.lin, room, 'for Lin alone');
  const page = await newPerson(eve);
  await page.goto(`${world.urls[0]}/admin/rooms`);
  const row = page.getByRole('main').getByRole('listitem').filter({ hasText: `#${room.name}` });
  await expect(row).toContainText('private, 1 member, last message');
  await expect(page.getByRole('main')).not.toContainText('for Lin alone');
});

test('roles', plain, async ({ world, eve, newPerson }) => {
  const { ada, lin, room } = world;
  const hers = await world.adas(`/rooms/${room.slug}/settings`);
  const person = (page: Page, who: Account) => page.getByRole('listitem').filter({ hasText: `@${who.username}` });
  await person(hers.page, lin).getByRole('combobox').selectOption('Moderator');
  await person(hers.page, lin).getByRole('button', { name: 'Set the role' }).click();
  await expect(person(hers.page, lin).getByRole('combobox')).toHaveValue('moderator');
  const his = await world.lins(`/rooms/${room.slug}/settings`);
  await expect(his.page.getByRole('heading', { name: 'Room settings' })).toBeVisible();
  await expect(person(his.page, ada).getByRole('button')).toHaveCount(0);

  const page = await newPerson(eve);
  const row = await found(world, page, ada);
  await row.getByRole('button', { name: 'Make administrator' }).click();
  await expect(row.locator('.badge')).toHaveText('Administrator');
  await row.getByRole('button', { name: 'Unmake administrator' }).click();
  await expect(row.locator('.badge')).toHaveCount(0);
});

test('bans', plain, async ({ world, eve, newPerson }) => {
  const { lin, urls } = world;
  const page = await newPerson(eve);
  const row = await found(world, page, lin);
  await row.getByRole('button', { name: 'Suspend' }).click();
  await expect(row).toContainText('Suspended');
  const his = await world.lins('/');
  await expect(signOutButton(his.page)).toHaveCount(0);
  await signIn(his.page, urls[1], lin.username, lin.password);
  await expect(his.page.getByRole('alert')).toContainText('suspended');
  await row.getByRole('button', { name: 'Reinstate' }).click();
  await expect(row).not.toContainText('Suspended');
  await signIn(his.page, urls[1], lin.username, lin.password);
  await expect(signOutButton(his.page)).toBeVisible();
});

test('a ban from a room', plain, async ({ world }) => {
  const { lin, room } = world;
  const hers = await world.adas(`/rooms/${room.slug}/settings`);
  const row = hers.page.getByRole('listitem').filter({ hasText: `@${lin.username}` });
  await row.getByRole('button', { name: 'Remove' }).click();
  await expect(row).toHaveCount(0);
  const his = await world.lins();
  await his.page.getByRole('button', { name: /^Join #/ }).click();
  await expect(his.page.getByRole('alert')).toBeVisible();
  await expect(his.composer).toHaveCount(0);
});

test('audit log', plain, async ({ world, eve, newPerson }) => {
  const { lin } = world;
  const page = await newPerson(eve);
  const row = await found(world, page, lin);
  await row.getByRole('button', { name: 'End sessions' }).click();
  await expect(row).toContainText('not signed in');
  await page.getByRole('link', { name: 'Log', exact: true }).click();
  const entry = page.getByRole('main').getByRole('listitem').first();
  await expect(entry).toContainText(`@${lin.username}`);
  await expect(entry.locator('strong')).toHaveText(`@${eve.username}`);
  await expect(entry.locator('time')).toHaveAttribute('datetime', /^\d{4}-\d\d-\d\dT/);
});
