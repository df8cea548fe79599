// Pins, live: every open page follows.
import { expect, test } from '../../support/fixtures.ts';
import { live, RoomPage } from '../../support/pages.ts';

test('what is pinned and taken down shows on every open page', async ({ api, server, newPerson }) => {
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
