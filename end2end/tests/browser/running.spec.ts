// What others do to a room while one looks on.
import { unique } from '../../support/api.ts';
import { expect, mark, test } from '../../support/fixtures.ts';
import { live, RoomPage } from '../../support/pages.ts';

test('one renames the room, the other sees it at once', async ({ api, server, newPerson }) => {
  const [ada, lin] = [await api.register('Ada'), await api.register('Lin')];
  const room = await api.room(ada);
  await api.join(lin, room);
  const shown = await new RoomPage(await newPerson(lin)).open(server.url, room);
  await live(api, ada, room, shown);
  const stayed = await mark(shown.page);
  const owner = await newPerson(ada);
  await owner.goto(`${server.url}/rooms/${room.slug}/settings`);
  const name = unique('Renamed');
  await owner.getByLabel('Name', { exact: true }).fill(name);
  await owner.getByLabel('Topic').fill('About ferries');
  await owner.getByRole('button', { name: 'Save' }).click();

  await expect(shown.page.getByRole('heading', { name })).toBeVisible();
  await expect(shown.page.locator('.room-header .topic')).toHaveText('About ferries');
  await expect(shown.page).toHaveTitle(new RegExp(`#${name}`));
  await expect(shown.page.getByRole('textbox', { name: `Message #${name}` })).toBeVisible();
  await expect(shown.page.getByRole('navigation', { name: 'Rooms' }).getByRole('link', { name })).toBeVisible();
  expect(await stayed(), 'the page was not loaded anew').toBe(true);
});

test('when a room is archived the composer goes, and comes back with it', async ({ api, server, newPerson }) => {
  const [ada, lin] = [await api.register('Ada'), await api.register('Lin')];
  const room = await api.room(ada);
  await api.join(lin, room);
  const shown = await new RoomPage(await newPerson(lin)).open(server.url, room);
  await live(api, ada, room, shown);
  await shown.composer.fill('a draft');
  await api.call('PATCH', `/rooms/${room.id}`, ada.token, { archived: true });
  await expect(shown.composer).toHaveCount(0);
  await expect(shown.page.getByText('This room is archived')).toBeVisible();
  const link = shown.page.getByRole('navigation', { name: 'Rooms' }).getByRole('link', { name: room.name });
  await expect(link).toHaveCount(0);
  await api.call('PATCH', `/rooms/${room.id}`, ada.token, { archived: false });
  await expect(shown.composer).toHaveValue('a draft');
  await expect(link).toBeVisible();
});

test('a visitor sees nothing of what is said after a room has gone private', async ({ api, server, newPerson }) => {
  const ada = await api.register('Ada');
  const room = await api.room(ada);
  const shown = await new RoomPage(await newPerson()).open(server.url, room);
  await live(api, ada, room, shown);
  await api.call('PATCH', `/rooms/${room.id}`, ada.token, { visibility: 'private' });
  const { at } = await api.post(ada, room, 'secret');
  await api.history(room, ada, at);
  await expect(shown.page.locator('.room-header')).toContainText('Private');
  await expect(shown.message('secret')).toHaveCount(0);
});
