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
  await expect(row.getByRole('button', { name: 'Delete' })).toBeVisible();
  await expect(page.getByRole('button', { name: /^(Pin|Unpin)/ })).toHaveCount(0);
  await details.getByRole('link', { name: 'Lin keep this' }).click();
  await expect(page).toHaveURL(`${server.url}/rooms/${room.slug}/m/${posted.id}`);
  await expect(row).toHaveClass(/highlight/);
});

test('what is pinned and taken down shows on every open page', async ({ api, server, newPerson, javaScriptEnabled }) => {
  test.skip(!javaScriptEnabled, 'a page without a script is loaded again');
  const [ada, lin] = [await api.register('Ada'), await api.register('Lin')];
  const room = await api.room(ada);
  const early = await api.post(ada, room, 'long ago');
  for (let n = 0; n < 60; n++) await api.post(ada, room, `filler ${n}`);
  const late = await api.post(ada, room, 'just now');
  await api.join(lin, room);
  // Who has read everything sees the end.
  for (const who of [ada, lin]) await api.call('PUT', `/rooms/${room.id}/read`, who.token, { at: late.at });
  await api.history(room, ada, late.at);
  const pages = [await new RoomPage(await newPerson(ada)).open(server.url, room)];
  pages.push(await new RoomPage(await newPerson(lin)).open(server.url, room));
  await live(api, ada, room, ...pages);
  const seen = pages[1]!.page;
  const details = seen.getByRole('complementary', { name: 'Members' });
  await expect(seen.locator(`#m-${early.id}`)).toHaveCount(0);

  const row = pages[0]!.page.locator(`#m-${late.id}`);
  await row.hover();
  await row.getByLabel('Actions for the message of Ada').click();
  await row.getByRole('button', { name: 'Pin', exact: true }).click();
  await expect(details.getByRole('link', { name: 'Ada just now' })).toBeVisible();
  await expect(seen.locator(`#m-${late.id}`).getByText('Pinned', { exact: true })).toBeVisible();

  // From further back than the page reaches.
  await api.call('PUT', `/rooms/${room.id}/messages/${early.id}/pin`, ada.token);
  await expect(details.getByRole('listitem').filter({ hasText: /long ago|just now/ })).toHaveText([/Ada long ago/, /Ada just now/]);
  await api.call('PATCH', `/rooms/${room.id}/messages/${early.id}`, ada.token, { body: 'very long ago' });
  await expect(details.getByRole('link', { name: 'Ada very long ago' })).toBeVisible();

  await api.call('DELETE', `/rooms/${room.id}/messages/${early.id}`, ada.token);
  await api.call('DELETE', `/rooms/${room.id}/messages/${late.id}/pin`, ada.token);
  for (const { page } of pages) {
    await expect(page.getByRole('heading', { name: 'Pinned' })).toHaveCount(0);
    await expect(page.getByText('Pinned', { exact: true }).filter({ visible: true })).toHaveCount(0);
  }
});
