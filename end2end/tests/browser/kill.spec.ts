// The server dies in the middle of a burst and comes back.
import { unique } from '../../support/api.ts';
import { expect, mark, test } from '../../support/fixtures.ts';
import { live, RoomPage } from '../../support/pages.ts';

// While it is away, browsers tell of every connection that they could not make.
test.use({ expectedComplaints: [/ERR_CONNECTION|WebSocket connection|Failed to load resource|net::ERR/i] as never });

test('after kill -9 open pages catch up by themselves: every acknowledged message once, in order', async ({
  api,
  server,
  newPerson,
}) => {
  test.setTimeout(120_000);
  const ada = await api.register('Ada');
  const room = await api.room(ada);
  const pages = [
    await new RoomPage(await newPerson(ada)).open(server.url, room),
    await new RoomPage(await newPerson()).open(server.url, room),
  ];
  await live(api, ada, room, ...pages);
  const stayed = await Promise.all(pages.map(({ page }) => mark(page)));

  const texts = Array.from({ length: 80 }, (_, n) => `burst-${String(n).padStart(2, '0')}`);
  let acknowledged = 0;
  // Four writers at a time: the kill finds some on their way.
  const writers = [0, 1, 2, 3].map(async (writer) => {
    for (let n = writer; n < texts.length; n += 4) {
      await api.postUntilAcknowledged(ada, room, texts[n]!);
      acknowledged++;
    }
  });
  await expect.poll(() => acknowledged, { intervals: [5] }).toBeGreaterThan(20);
  await server.kill();
  const atKill = acknowledged;
  expect(atKill, 'the kill came in the middle').toBeLessThan(texts.length);
  await server.start();
  await Promise.all(writers);

  let history: string[] = [];
  // The store follows the log at its own pace.
  await expect
    .poll(async () => {
      history = (await api.history(room, ada)).map((message) => message.body).filter((body) => body.startsWith('burst-'));
      return [...history].sort();
    })
    .toEqual(texts);
  for (const shown of pages) {
    await expect.poll(() => shown.texts(/^burst-\d\d$/), { timeout: 45_000 }).toEqual(history);
  }
  expect(await Promise.all(stayed.map((still) => still())), 'no page was loaded anew').toEqual([true, true]);
});

test('a message that is written while the server is away goes out when it is back, once', async ({ api, server, newPerson }) => {
  test.setTimeout(90_000);
  const ada = await api.register('Ada');
  const room = await api.room(ada);
  const shown = await new RoomPage(await newPerson(ada)).open(server.url, room);
  await live(api, ada, room, shown);

  await server.kill();
  const text = unique('unsent');
  await shown.say(text);
  await expect(shown.message(text), 'it shows at once').toHaveCount(1);
  await server.start();
  await expect
    .poll(async () => (await api.history(room, ada)).filter((message) => message.body === text).length, { timeout: 45_000 })
    .toBe(1);
  await expect(shown.message(text)).toHaveCount(1);
});
