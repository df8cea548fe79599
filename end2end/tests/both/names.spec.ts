// Who is who.
import { unique } from '../../support/api.ts';
import { expect, test } from '../../support/fixtures.ts';
import { register, RoomPage } from '../../support/pages.ts';

test('two people of one name can be told apart', async ({ api, server, page }) => {
  const [ada, other] = [await api.register('Ada'), await api.register('Ada')];
  const room = await api.room(ada);
  await api.join(other, room);
  const { at } = await api.post(other, room, 'I am Ada');
  await api.history(room, ada, at);

  const shown = await new RoomPage(page).open(server.url, room);
  const members = page.getByRole('complementary', { name: 'Members' });
  for (const { username } of [ada, other]) await expect(members.getByText(`@${username}`)).toBeVisible();
  await expect(shown.timeline.getByTitle(`@${other.username}`)).toHaveText('Ada');
});

test('a name that deceives is refused in words', async ({ server, page }) => {
  for (const [displayName, words] of [
    ['Admin', 'reserved'],
    ['A\u202Eda', 'visible'],
    ['\u200B', 'visible'],
    ['...', 'letter or a digit'],
  ] as const) {
    await register(page, server.url, { username: unique('lin'), displayName, password: 'correct horse battery' });
    await expect(page.getByRole('alert')).toContainText(words);
  }
});

test('a reaction is an emoji, not words', async ({ api }) => {
  const ada = await api.register('Ada');
  const room = await api.room(ada);
  const { id } = await api.post(ada, room, 'What do you think?');
  const react = (emoji: string) =>
    api.call('PUT', `/rooms/${room.id}/messages/${id}/reactions/${encodeURIComponent(emoji)}`, ada.token);
  for (const good of ['👍', '❤️', '🇸🇪', '1️⃣']) expect((await react(good)).status, good).toBe(200);
  for (const bad of ['да', '好', 'ﷺ', '\u200B', '👍👍', '👍\u202E']) expect((await react(bad)).status, bad).toBe(422);
});
