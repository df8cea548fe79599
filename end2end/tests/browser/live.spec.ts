// What happens while one looks on.
import { unique } from '../../support/api.ts';
import { expect, mark, test } from '../../support/fixtures.ts';
import { live, RoomPage } from '../../support/pages.ts';

test('two people chat: each sees the other at once, and each message once', async ({ api, server, newPerson }) => {
  const ada = await api.register('Ada');
  const room = await api.room(ada);
  const hers = await new RoomPage(await newPerson(ada)).open(server.url, room);
  const guests = await new RoomPage(await newPerson()).open(server.url, room);
  await guests.enterAsGuest();
  await live(api, ada, room, hers, guests);
  const stayed = [await mark(hers.page), await mark(guests.page)];

  const [question, answer] = [unique('question'), unique('answer')];
  await hers.say(question);
  await expect(hers.message(question)).toHaveCount(1);
  await expect(guests.message(question)).toHaveCount(1);
  await guests.say(answer);
  await expect(guests.message(answer)).toHaveCount(1);
  await expect(hers.message(answer)).toHaveCount(1);

  for (const shown of [hers, guests]) {
    expect(await shown.texts(/^(question|answer)-/)).toEqual([question, answer]);
  }
  expect([await stayed[0]!(), await stayed[1]!()], 'no page was loaded anew').toEqual([true, true]);
});

test('a visitor without an account sees a public room live', async ({ api, server, page }) => {
  const ada = await api.register('Ada');
  const room = await api.room(ada);
  const shown = await new RoomPage(page).open(server.url, room);
  const text = unique('live');
  await api.post(ada, room, text);
  await expect(shown.message(text)).toHaveCount(1);
});

test('what is posted between the page and the socket is not lost', async ({ api, server, page }) => {
  const ada = await api.register('Ada');
  const room = await api.room(ada);
  const texts = Array.from({ length: 30 }, (_, n) => `between-${String(n).padStart(2, '0')}`);
  const posting = (async () => {
    for (const text of texts) await api.post(ada, room, text);
  })();
  const shown = await new RoomPage(page).open(server.url, room);
  await posting;
  await expect.poll(() => shown.texts(/^between-\d\d$/)).toEqual(texts);
});

test('Enter sends, Shift and Enter breaks the line', async ({ api, server, newPerson }) => {
  const ada = await api.register('Ada');
  const room = await api.room(ada);
  const page = await newPerson(ada);
  const shown = await new RoomPage(page).open(server.url, room);
  // Enter is the script's: it has to be there first. A message that arrives live tells that it is.
  await live(api, ada, room, shown);

  await shown.composer.click();
  await page.keyboard.type('one');
  await page.keyboard.press('Shift+Enter');
  await page.keyboard.type('two');
  await page.keyboard.press('Enter');
  await expect(shown.composer).toHaveValue('');
  await expect.poll(async () => (await api.history(room, ada)).map((message) => message.body)).toEqual(['ready', 'one\ntwo']);
});

test('whoever ends the session elsewhere is told here', async ({ api, server, newPerson }) => {
  const ada = await api.register('Ada');
  const room = await api.room(ada, unique('inner'), 'members');
  const shown = await new RoomPage(await newPerson(ada)).open(server.url, room);
  await live(api, ada, room, shown);
  await api.call('DELETE', '/sessions', ada.token);
  await expect(shown.page.getByText('Your session has ended.')).toBeVisible();
});
