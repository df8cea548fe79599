// Taking part, with and without JavaScript.
import { unique } from '../../support/api.ts';
import { expect, test } from '../../support/fixtures.ts';
import { RoomPage } from '../../support/pages.ts';

test('a guest joins with one click and posts', async ({ api, server, page }) => {
  const ada = await api.register('Ada');
  const room = await api.room(ada);
  const shown = await new RoomPage(page).open(server.url, room);
  await shown.enterAsGuest();

  const text = unique('hello');
  await shown.say(text);
  await expect(shown.message(text)).toHaveCount(1);
  await page.reload();
  await expect(shown.message(text)).toHaveCount(1);
  expect((await api.history(room, ada)).filter((message) => message.body === text)).toHaveLength(1);
});

test('a member joins, posts twice, and the order stays', async ({ api, server, newPerson }) => {
  const [ada, lin] = [await api.register('Ada'), await api.register('Lin')];
  const room = await api.room(ada);
  const shown = await new RoomPage(await newPerson(lin)).open(server.url, room);
  await shown.join();

  const [first, second] = [unique('order-one'), unique('order-two')];
  await shown.say(first);
  await expect(shown.message(first)).toHaveCount(1);
  await shown.say(second);
  await expect(shown.message(second)).toHaveCount(1);
  await shown.page.reload();
  // What had only been shown, not sent yet, is sent after all.
  await expect.poll(() => shown.texts(/^order-(one|two)-/)).toEqual([first, second]);
});

test('a text of several lines keeps them', async ({ api, server, newPerson }) => {
  const ada = await api.register('Ada');
  const room = await api.room(ada);
  const shown = await new RoomPage(await newPerson(ada)).open(server.url, room);
  const [one, two] = [unique('upper'), unique('lower')];
  await shown.say(`${one}\n${two}`);
  await expect(shown.timeline).toContainText(one);
  await expect.poll(async () => (await api.history(room, ada)).map((message) => message.body)).toEqual([`${one}\n${two}`]);
});

test('an empty text posts nothing', async ({ api, server, newPerson }) => {
  const ada = await api.register('Ada');
  const room = await api.room(ada);
  const shown = await new RoomPage(await newPerson(ada)).open(server.url, room);
  const text = unique('something');
  await shown.say('   ');
  await shown.open(server.url, room);
  await shown.say(text);
  await expect(shown.message(text)).toHaveCount(1);
  await expect.poll(async () => (await api.history(room, ada)).map((message) => message.body)).toEqual([text]);
});

test('a person makes a room and is in it', async ({ api, server, newPerson }) => {
  const ada = await api.register('Ada');
  const page = await newPerson(ada);
  await page.goto(server.url);
  const name = unique('Garden');
  await page.getByLabel('Name', { exact: true }).fill(name);
  await page.getByRole('button', { name: 'Create room' }).click();
  await expect(page).toHaveURL(/\/rooms\/garden-/);
  const shown = new RoomPage(page);
  await shown.say('A first word');
  await expect(shown.message('A first word')).toHaveCount(1);
});
