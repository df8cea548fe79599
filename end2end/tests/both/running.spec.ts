// Rooms that people run: settings, roles, invite links, the list of all; with a script and without.
import { type Account, unique } from '../../support/api.ts';
import { expect, test } from '../../support/fixtures.ts';
import { RoomPage } from '../../support/pages.ts';
import type { Page } from '@playwright/test';

// An invitation that is no longer good is answered as such, and browsers say so; so is what is refused. And without
// scripts nothing uses the program that a room's page would have fetched beforehand.
test.use({ expectedComplaints: [/status of (403|404)|preloaded using link preload but not used/] as never });

const person = (page: Page, who: Account) => page.getByRole('listitem').filter({ hasText: `@${who.username}` });

test('an owner names a room, says what it is about and who may see it', async ({ api, server, newPerson }) => {
  const ada = await api.register('Ada');
  const room = await api.room(ada);
  const page = await newPerson(ada);
  await new RoomPage(page).open(server.url, room);
  await page.getByRole('link', { name: 'Room settings' }).first().click();
  await expect(page.getByRole('heading', { name: 'Room settings' })).toBeVisible();
  await page.getByLabel('Name', { exact: true }).fill('!!');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByRole('alert')).toContainText('A name has 1 to 80 characters');
  await expect(page.getByLabel('Name', { exact: true })).toHaveValue('!!');
  const name = unique('Harbour walks');
  await page.getByLabel('Name', { exact: true }).fill(name);
  await page.getByLabel('Topic').fill('Every Sunday & <b>in any weather</b>');
  await page.getByLabel('Private').check();
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByRole('status')).toHaveText('Saved.');
  await expect(page.getByLabel('Private')).toBeChecked();
  await page.locator('.back-link').click();
  await expect(page.getByRole('heading', { name })).toBeVisible();
  await expect(page.locator('.room-header .topic')).toHaveText('Every Sunday & <b>in any weather</b>');
  await expect(page.locator('.room-header')).toContainText('Private');
  await expect(page).toHaveURL(new RegExp(`/rooms/${room.slug}`));
});

test('owners say who runs the room, and moderators keep order', async ({ api, server, newPerson }) => {
  const [ada, lin, eve] = [await api.register('Ada'), await api.register('Lin'), await api.register('Eve')];
  const room = await api.room(ada);
  await api.join(lin, room);
  const page = await newPerson(ada);
  await page.goto(`${server.url}/rooms/${room.slug}/settings`);
  await page.getByLabel('Add somebody').fill('nobody-of-that-name');
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  await expect(page.getByRole('alert')).toHaveText('Nobody here has that user name.');
  await page.getByLabel('Add somebody').fill(`@${eve.username}`);
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  await expect(person(page, eve)).toBeVisible();
  await person(page, ada).getByRole('combobox').selectOption('Member');
  await person(page, ada).getByRole('button', { name: 'Set the role' }).click();
  await expect(page.getByRole('alert')).toContainText('needs an owner');
  await person(page, lin).getByRole('combobox').selectOption('Moderator');
  await person(page, lin).getByRole('button', { name: 'Set the role' }).click();
  await expect(person(page, lin).getByRole('combobox')).toHaveValue('moderator');

  const other = await newPerson(lin);
  await other.goto(`${server.url}/rooms/${room.slug}/settings`);
  await expect(other.getByRole('combobox', { name: 'Role of' })).toHaveCount(0);
  await expect(other.getByLabel('Private')).toHaveCount(0);
  await expect(person(other, ada).getByRole('button')).toHaveCount(0);
  await person(other, eve).getByRole('button', { name: 'Remove' }).click();
  await expect(other.getByRole('status')).toContainText('out of the room');
  await expect(person(other, eve)).toHaveCount(0);

  const hers = await newPerson(eve);
  await new RoomPage(hers).open(server.url, room);
  await hers.getByRole('button', { name: /^Join #/ }).click();
  await expect(hers.getByRole('alert')).toBeVisible();
  await hers.goto(`${server.url}/rooms/${room.slug}/settings`);
  await expect(hers.getByRole('heading', { name: 'About this room' })).toBeVisible();
  await expect(hers.getByRole('main').getByRole('button')).toHaveCount(0);
  await expect(person(hers, lin)).toContainText('Moderator');
});

test('a link lets a newcomer into a private room, as a guest and with an account', async ({ api, server, newPerson }) => {
  const ada = await api.register('Ada');
  const room = await api.room(ada, unique('cabin'), 'private');
  const page = await newPerson(ada);
  await page.goto(`${server.url}/rooms/${room.slug}/settings`);
  await page.getByRole('spinbutton', { name: 'People' }).fill('2');
  await page.getByRole('button', { name: 'Make a link' }).click();
  const link = (await page.locator('.link-text').textContent())!;
  expect(link).toMatch(/\/invite\/[\w-]{22}$/);
  expect(page.url(), 'the secret is in no other address').not.toContain(link.slice(-22));
  const path = new URL(link).pathname;
  await page.reload();
  await expect(page.locator('.link-text'), 'it is shown once').toHaveCount(0);
  await expect(page.getByText('0 of 2 came in')).toBeVisible();

  const guest = await newPerson();
  await guest.goto(server.url + path);
  await expect(guest.getByRole('heading', { name: room.name })).toBeVisible();
  await expect(guest.getByText('Ada invites you to')).toBeVisible();
  await guest.getByRole('button', { name: 'Come in as a guest' }).click();
  await guest.getByRole('button', { name: `Join #${room.name}` }).click();
  await new RoomPage(guest).say('a guest is here');
  await expect(new RoomPage(guest).message('a guest is here')).toBeVisible();

  const newcomer = await newPerson();
  await newcomer.goto(server.url + path);
  await newcomer.getByRole('link', { name: 'Register' }).click();
  const account = { username: unique('lin'), displayName: 'Lin', password: 'correct horse battery' };
  await newcomer.getByLabel('User name').fill(account.username);
  await newcomer.getByLabel('Password').fill(account.password);
  await newcomer.getByRole('main').getByRole('button', { name: 'Register' }).click();
  await newcomer.getByRole('button', { name: `Join #${room.name}` }).click();
  await expect(new RoomPage(newcomer).message('a guest is here')).toBeVisible();

  const late = await newPerson(await api.register('Tom'));
  await late.goto(server.url + path);
  await expect(late.getByRole('heading', { name: 'This invitation is no longer good' })).toBeVisible();
});

test('a link that was taken back is good no more', async ({ api, server, newPerson }) => {
  const ada = await api.register('Ada');
  const room = await api.room(ada, unique('cabin'), 'private');
  const page = await newPerson(ada);
  await page.goto(`${server.url}/rooms/${room.slug}/settings`);
  await page.getByRole('button', { name: 'Make a link' }).click();
  const path = new URL((await page.locator('.link-text').textContent())!).pathname;
  await page.getByRole('button', { name: 'Take back' }).click();
  await expect(page.getByRole('status')).toHaveText('The link is good no more.');
  const visitor = await newPerson();
  await visitor.goto(server.url + path);
  await expect(visitor.getByRole('heading', { name: 'This invitation is no longer good' })).toBeVisible();
});

test('an archived room can be read, and is in a list of its own', async ({ api, server, newPerson }) => {
  const ada = await api.register('Ada');
  const room = await api.room(ada, unique('old harbour'));
  const { at } = await api.post(ada, room, 'still here');
  await api.history(room, ada, at);
  const page = await newPerson(ada);
  await page.goto(`${server.url}/rooms/${room.slug}/settings`);
  await page.getByLabel('Yes, nobody is to write').check();
  await page.getByRole('button', { name: 'Archive this room' }).click();
  await expect(page.getByText('This room is archived')).toBeVisible();
  const shown = await new RoomPage(page).open(server.url, room);
  await expect(shown.message('still here')).toBeVisible();
  await expect(shown.composer).toHaveCount(0);
  await expect(page.getByText('This room is archived')).toBeVisible();
  await page.getByRole('navigation', { name: 'Rooms' }).getByRole('link', { name: 'All rooms' }).click();
  await page.getByLabel('Name or topic').fill(room.name);
  await page.getByRole('button', { name: 'Find' }).click();
  await expect(page.getByText('No room has that')).toBeVisible();
  await page.getByLabel('Archived').check();
  await page.getByRole('button', { name: 'Find' }).click();
  await page.getByRole('main').getByRole('link', { name: `#${room.name}` }).click();
  await page.goto(`${server.url}/rooms/${room.slug}/settings`);
  await page.getByRole('button', { name: 'Use this room again' }).click();
  await (await new RoomPage(page).open(server.url, room)).say('back again');
  await expect(shown.message('back again')).toBeVisible();
});

test('all rooms are looked through by name and topic, and joined', async ({ api, server, newPerson }) => {
  const [ada, lin] = [await api.register('Ada'), await api.register('Lin')];
  const word = unique('lighthouse');
  const room = await api.room(ada, unique('walks'), 'members');
  await api.call('PATCH', `/rooms/${room.id}`, ada.token, { topic: `To the ${word.toUpperCase()}` });
  const page = await newPerson(lin);
  await page.goto(`${server.url}/rooms?q=${word}`);
  const found = page.getByRole('main').getByRole('listitem');
  await expect(found).toHaveCount(1);
  await expect(found).toContainText('Members only · 1 member');
  await found.getByRole('button', { name: `Join #${room.name}` }).click();
  await expect(new RoomPage(page).composer).toBeVisible();
  const visitor = await newPerson();
  await visitor.goto(`${server.url}/rooms?q=${word}`);
  await expect(visitor.getByText('No room has that')).toBeVisible();
});

test('the last owner is told why they cannot leave', async ({ api, server, newPerson }) => {
  const [ada, lin] = [await api.register('Ada'), await api.register('Lin')];
  const room = await api.room(ada);
  await api.join(lin, room);
  const page = await newPerson(ada);
  await page.goto(`${server.url}/rooms/${room.slug}/settings`);
  await page.getByRole('button', { name: `Leave #${room.name}` }).click();
  await expect(page.getByRole('alert')).toContainText('needs an owner');
});

test('an owner says how long messages are kept, and everybody can read it', async ({ api, server, newPerson }) => {
  const [ada, lin] = [await api.register('Ada'), await api.register('Lin')];
  const room = await api.room(ada);
  await api.join(lin, room);
  const page = await newPerson(ada);
  await page.goto(`${server.url}/rooms/${room.slug}/settings`);
  await expect(page.getByLabel('Keep messages')).toHaveValue('0');
  await page.getByLabel('Keep messages').selectOption('for 30 days');
  await page.getByRole('button', { name: 'Keep them so long' }).click();
  await expect(page.getByRole('status')).toContainText('Saved');
  await expect(page.getByLabel('Keep messages')).toHaveValue('30');
  await api.call('PATCH', `/rooms/${room.id}`, ada.token, { keep_days: 45 });
  await page.goto(`${server.url}/rooms/${room.slug}/settings`);
  await expect(page.getByLabel('Keep messages'), 'what is set can be chosen').toHaveValue('45');

  const other = await newPerson(lin);
  await other.goto(`${server.url}/rooms/${room.slug}/settings`);
  await expect(other.getByText('Messages are kept for 45 days.')).toBeVisible();
  await expect(other.getByLabel('Keep messages')).toHaveCount(0);
});
