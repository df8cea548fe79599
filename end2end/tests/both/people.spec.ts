// One's own account, and running the installation: with and without JavaScript.
import { unique } from '../../support/api.ts';
import { expect, test } from '../../support/fixtures.ts';
import { signIn, signOutButton } from '../../support/pages.ts';

// A page that is not there is answered as such, and so is a socket of a session that has ended; browsers say so.
test.use({ expectedComplaints: [/status of 404|WebSocket connection .* failed|preloaded using link preload/] as never });

test('a person takes another name, which older messages show too', async ({ api, server, newPerson }) => {
  const ada = await api.register('Ada');
  const room = await api.room(ada);
  const { at } = await api.post(ada, room, 'hello');
  await api.history(room, ada, at);
  const page = await newPerson(ada);
  await page.goto(`${server.url}/rooms/${room.slug}`);
  await page.getByRole('link', { name: /Ada/ }).click();
  await expect(page).toHaveURL(`${server.url}/me`);
  await page.getByLabel('Display name').fill('Ada Lovelace');
  await page.getByRole('button', { name: 'Save name' }).click();
  await expect(page.getByRole('status')).toHaveText('Your new name is saved.');
  await expect(page.getByTestId('me')).toHaveText('Ada Lovelace');
  await page.goto(`${server.url}/rooms/${room.slug}`);
  await expect(page.getByRole('article').filter({ hasText: 'hello' })).toContainText('Ada Lovelace');

  await page.goto(`${server.url}/me`);
  await page.getByLabel('Display name').fill('Admin');
  await page.getByRole('button', { name: 'Save name' }).click();
  await expect(page.getByRole('alert')).toContainText('cannot be a display name');
});

test('a person changes the password and is signed out elsewhere', async ({ api, server, newPerson }) => {
  const ada = await api.register('Ada');
  const [page, elsewhere] = [await newPerson(ada), await newPerson()];
  await signIn(elsewhere, server.url, ada.username, ada.password);
  await expect(signOutButton(elsewhere)).toBeVisible();
  const change = async (old: string, fresh: string) => {
    await page.goto(`${server.url}/me`);
    await page.getByLabel('Old password').fill(old);
    await page.getByLabel('New password').fill(fresh);
    await page.getByRole('button', { name: 'Change password' }).click();
  };
  await change('not the password', 'another good one');
  await expect(page.getByRole('alert')).toHaveText('The old password does not fit.');
  await change(ada.password, 'another good one');
  await expect(page.getByRole('status')).toContainText('Your password is changed.');
  await expect(signOutButton(page)).toBeVisible();
  await elsewhere.goto(server.url);
  await expect(signOutButton(elsewhere)).toHaveCount(0);
  await signIn(elsewhere, server.url, ada.username, 'another good one');
  await expect(signOutButton(elsewhere)).toBeVisible();
});

test('a person sees where they are signed in, and ends that', async ({ api, server, newPerson }) => {
  const ada = await api.register('Ada');
  const [page, elsewhere] = [await newPerson(ada), await newPerson()];
  await signIn(elsewhere, server.url, ada.username, ada.password);
  await expect(signOutButton(elsewhere)).toBeVisible();
  await page.goto(`${server.url}/me`);
  const sessions = page.getByRole('region', { name: 'Where you are signed in' });
  await expect(sessions.getByRole('listitem')).toHaveCount(2);
  await expect(sessions.getByRole('listitem').filter({ hasText: 'This one' })).toHaveCount(1);
  await sessions.getByRole('button', { name: 'End', exact: true }).click();
  await expect(page.getByRole('status')).toHaveText('That session has ended.');
  await expect(sessions.getByRole('listitem')).toHaveCount(1);
  await elsewhere.goto(server.url);
  await expect(signOutButton(elsewhere)).toHaveCount(0);

  await signIn(elsewhere, server.url, ada.username, ada.password);
  await expect(signOutButton(elsewhere)).toBeVisible();
  await page.goto(`${server.url}/me`);
  await page.getByRole('button', { name: 'End all others' }).click();
  await expect(page.getByRole('status')).toHaveText('All other sessions have ended.');
  await expect(sessions.getByRole('listitem')).toHaveCount(1);
});

test('a visitor has no account page, and who is no administrator finds none of theirs', async ({ api, server, newPerson }) => {
  const [ada, visitor] = [await newPerson(await api.register('Ada')), await newPerson()];
  for (const [page, path] of [[visitor, '/me'], [visitor, '/admin'], [ada, '/admin'], [ada, '/admin/log'], [ada, '/admin/rooms']] as const) {
    expect((await page.goto(server.url + path))?.status(), path).toBe(404);
    await expect(page.getByRole('heading', { name: 'There is nothing here' })).toBeVisible();
  }
  await ada.goto(`${server.url}/me`);
  await expect(ada.getByRole('link', { name: 'Run this installation' })).toHaveCount(0);
});

test('an administrator suspends and reinstates somebody, and the log says so', async ({ api, server, newPerson }) => {
  const [ada, lin] = [await api.register('Ada'), await api.register('Lin')];
  server.makeAdmin(ada.username);
  const room = await api.room(lin, unique('attic'), 'private');
  const [page, lins] = [await newPerson(ada), await newPerson(lin)];
  await page.goto(`${server.url}/me`);
  await page.getByRole('link', { name: 'Run this installation' }).click();
  await page.getByRole('searchbox', { name: 'Name of a person' }).fill(lin.username);
  await page.getByRole('main').getByRole('button', { name: 'Search' }).click();
  const row = page.getByRole('main').getByRole('listitem').filter({ hasText: `@${lin.username}` });
  await expect(page.getByRole('main').getByRole('listitem')).toHaveCount(1);
  await row.getByRole('button', { name: 'Suspend' }).click();
  await expect(page.getByRole('status')).toHaveText(`You suspended @${lin.username}.`);
  await expect(row).toContainText('Suspended');

  await lins.goto(server.url);
  await expect(signOutButton(lins)).toHaveCount(0);
  await signIn(lins, server.url, lin.username, lin.password);
  await expect(lins.getByRole('alert')).toContainText('suspended');
  await row.getByRole('button', { name: 'Reinstate' }).click();
  await expect(page.getByRole('status')).toHaveText(`You reinstated @${lin.username}.`);
  await signIn(lins, server.url, lin.username, lin.password);
  await expect(signOutButton(lins)).toBeVisible();

  await page.goto(`${server.url}/admin?q=${ada.username}`);
  await page.getByRole('button', { name: /Unmake administrator/ }).click();
  // There may be others from tests before; then one's own session ends and nothing is here any more.
  await expect(page.getByRole('alert').or(page.getByRole('heading', { name: 'There is nothing here' }))).toBeVisible();
  const other = await api.register('Eve');
  server.makeAdmin(other.username);
  const eves = await newPerson(other);
  await eves.goto(`${server.url}/admin/log`);
  await expect(eves.getByRole('listitem').filter({ hasText: `suspended @${lin.username}` })).toContainText(`@${ada.username}`);
  await eves.getByRole('link', { name: 'Rooms', exact: true }).click();
  await expect(eves.getByRole('listitem').filter({ hasText: `#${room.name}` }).filter({ hasText: 'private, 1 member' })).toHaveCount(1);
});
