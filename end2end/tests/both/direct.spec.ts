// Direct messages: from a name to a conversation, with a script and without.
import { expect, test } from '../../support/fixtures.ts';
import { RoomPage } from '../../support/pages.ts';

test('two people write to each other directly', async ({ api, server, newPerson }) => {
  const [ada, lin] = [await api.register('Ada'), await api.register('Lin')];
  const page = await newPerson(ada);
  await page.goto(server.url);
  const form = page.getByRole('main').locator('#direct');
  await form.getByLabel('User name').fill('nobody-of-that-name');
  await form.getByRole('button', { name: 'Open the conversation' }).click();
  await expect(form).toContainText('Nobody here has that user name.');
  await form.getByLabel('User name').fill(`@${lin.username}`);
  await form.getByRole('button', { name: 'Open the conversation' }).click();
  await expect(page.getByRole('heading', { name: lin.username })).toBeVisible();
  await expect(page).toHaveTitle(`@${lin.username} · Partyline`);
  await expect(page.getByRole('button', { name: 'Leave this room' })).toHaveCount(0);
  await new RoomPage(page).say('hello, only you');
  await expect(new RoomPage(page).message('hello, only you')).toBeVisible();

  const other = await newPerson(lin);
  await expect(async () => {
    await other.goto(server.url);
    const link = other.getByRole('navigation', { name: 'Rooms' }).getByRole('link', { name: ada.username });
    await expect(link.locator('.badge')).toHaveText(/@1/, { timeout: 1_000 });
    await link.click();
  }).toPass();
  await expect(new RoomPage(other).message('hello, only you')).toBeVisible();
});

test('a member of a room is one click away', async ({ api, server, newPerson }) => {
  const [ada, lin] = [await api.register('Ada'), await api.register('Lin')];
  const room = await api.room(ada);
  await api.join(lin, room);
  const page = await newPerson(lin);
  await new RoomPage(page).open(server.url, room);
  await page.getByRole('button', { name: `Direct message to ${ada.displayName}` }).click();
  await expect(page.getByRole('heading', { name: ada.username })).toBeVisible();
  await page.screenshot({ path: `test-results/screens/direct-${test.info().project.name.replace(' ', '-')}.png` });
});
