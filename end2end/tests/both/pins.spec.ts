// What a room keeps in view, with and without JavaScript.
import { unique } from '../../support/api.ts';
import { expect, mark, test } from '../../support/fixtures.ts';
import { live, RoomPage } from '../../support/pages.ts';

test('who runs a room pins a message, and takes it down again', async ({ api, server, newPerson, javaScriptEnabled }) => {
  const ada = await api.register('Ada');
  const room = await api.room(ada);
  const text = unique('keep this');
  const posted = await api.post(ada, room, `**${text}**`);
  await api.history(room, ada, posted.at);

  const page = await newPerson(ada);
  const shown = await new RoomPage(page).open(server.url, room);
  const details = page.getByRole('complementary', { name: 'Members' });
  const row = page.locator(`#m-${posted.id}`);
  await expect(shown.message(text)).toHaveCount(1);
  await expect(details.getByRole('heading', { name: 'Pinned' })).toHaveCount(0);
  await expect(row.getByText('Pinned', { exact: true })).toBeHidden();

  await row.getByLabel('Actions for the message of Ada').click();
  await expect(row.getByRole('button', { name: 'Unpin' })).toHaveCount(0);
  await row.getByRole('button', { name: 'Pin', exact: true }).click();
  await expect(details.getByRole('heading', { name: 'Pinned' })).toBeVisible();
  const link = details.getByRole('link', { name: `Ada ${text}` });
  await expect(link).toHaveAttribute('href', `/rooms/${room.slug}/m/${posted.id}`);
  await expect(row.getByText('Pinned', { exact: true })).toBeVisible();

  await page.reload();
  await expect(link).toBeVisible();
  if (javaScriptEnabled) await live(api, ada, room, shown);
  const stays = javaScriptEnabled ? await mark(page) : undefined;
  await details.getByRole('button', { name: 'Unpin the message of Ada' }).click();
  await expect(link).toHaveCount(0);
  await expect(row.getByText('Pinned', { exact: true })).toBeHidden();
  if (stays) expect(await stays()).toBe(true);

  // Again, and down by the menu.
  for (const name of ['Pin', 'Unpin']) {
    await row.getByLabel('Actions for the message of Ada').click();
    await row.getByRole('button', { name, exact: true }).click();
    await expect(link).toHaveCount(name === 'Pin' ? 1 : 0);
  }
});

test('who only writes here sees what is pinned, and leaves it there', async ({ api, server, newPerson }) => {
  const [ada, lin] = [await api.register('Ada'), await api.register('Lin')];
  const room = await api.room(ada);
  await api.join(lin, room);
  const posted = await api.post(lin, room, 'keep this');
  await api.history(room, ada, posted.at);
  const answer = await api.call('PUT', `/rooms/${room.id}/messages/${posted.id}/pin`, ada.token);
  await api.history(room, ada, (await answer.json()).at);

  const page = await newPerson(lin);
  await new RoomPage(page).open(server.url, room);
  const details = page.getByRole('complementary', { name: 'Members' });
  const row = page.locator(`#m-${posted.id}`);
  await expect(row.getByText('Pinned', { exact: true })).toBeVisible();
  await row.getByLabel('Actions for the message of Lin').click();
  await expect(row.getByText('Delete…')).toBeVisible();
  await expect(page.getByRole('button', { name: /^(Pin|Unpin)/ })).toHaveCount(0);
  await details.getByRole('link', { name: 'Lin keep this' }).click();
  await expect(page).toHaveURL(`${server.url}/rooms/${room.slug}/m/${posted.id}`);
  await expect(row).toHaveClass(/highlight/);
});
