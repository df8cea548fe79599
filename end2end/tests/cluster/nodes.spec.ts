// Three nodes, one chat, on real Kafka, Redis and PostgreSQL.
import { Api, messageId, unique } from '../../support/api.ts';
import { expect, mark, test } from '../../support/fixtures.ts';
import { live, RoomPage } from '../../support/pages.ts';

test('what is posted at one node shows at the two others', async ({ nodes, newPerson }) => {
  const [a, b, c] = nodes;
  const api = new Api(a.url);
  const ada = await api.register('Ada');
  const room = await api.room(ada);
  const hers = await new RoomPage(await newPerson(ada)).open(a.url, room);
  const others = [
    await new RoomPage(await newPerson()).open(b.url, room),
    await new RoomPage(await newPerson()).open(c.url, room),
  ];

  await live(api, ada, room, hers, ...others);
  const texts = [unique('across-1'), unique('across-2')];
  for (const text of texts) {
    await hers.say(text);
    for (const shown of [hers, ...others]) await expect(shown.message(text)).toHaveCount(1);
  }
  for (const shown of others) {
    await shown.page.reload();
    await expect.poll(() => shown.texts(/^across-\d-/)).toEqual(texts);
  }
});

test('a session that began at one node is good at the others', async ({ nodes, newPerson }) => {
  const [a, b, c] = nodes;
  const ada = await new Api(a.url).register('Ada');
  const room = await new Api(b.url).room(ada);
  const shown = await new RoomPage(await newPerson(ada)).open(c.url, room);
  const text = unique('anywhere');
  await shown.say(text);
  await expect(shown.message(text)).toHaveCount(1);
});

test('the same message sent to all nodes at once is one message, live and in the history', async ({ nodes, newPerson }) => {
  const apis = nodes.map((node) => new Api(node.url));
  const ada = await apis[0]!.register('Ada');
  const room = await apis[0]!.room(ada);
  const shown = await new RoomPage(await newPerson()).open(nodes[1].url, room);
  await live(apis[0]!, ada, room, shown);

  const id = messageId();
  const answers = await Promise.all(apis.map((api) => api.post(ada, room, 'the same', id)));
  expect(new Set(answers.map((answer) => answer.at)).size, 'every answer names the same position').toBe(1);
  const { at } = await apis[0]!.post(ada, room, 'after it');
  await expect(shown.message('after it')).toHaveCount(1);
  await expect(shown.message('the same')).toHaveCount(1);
  for (const api of apis) {
    await expect
      .poll(async () => (await api.history(room, ada, at)).map((message) => message.body))
      .toEqual(['ready', 'the same', 'after it']);
  }
});

test('a retry at another node is answered with the position of the first', async ({ nodes }) => {
  const apis = nodes.map((node) => new Api(node.url));
  const ada = await apis[0]!.register('Ada');
  const room = await apis[0]!.room(ada);
  const { id, at } = await apis[0]!.post(ada, room, 'before');
  const again = await Promise.all(apis.map((api) => api.post(ada, room, 'before', id)));
  expect(again.map((answer) => answer.at)).toEqual([at, at, at]);
});

test.describe('a node dies', () => {
  test.use({ expectedComplaints: [/ERR_CONNECTION|WebSocket connection|Failed to load resource|net::ERR/i] as never });

  test('while it is away the others go on; what it missed is there when it is back', async ({ nodes, newPerson }) => {
    test.setTimeout(120_000);
    const [a, b, c] = nodes;
    const api = new Api(a.url);
    const ada = await api.register('Ada');
    const room = await api.room(ada);
    const atB = await new RoomPage(await newPerson()).open(b.url, room);
    const atC = await new RoomPage(await newPerson()).open(c.url, room);
    await live(api, ada, room, atB, atC);
    const stayed = await mark(atC.page);

    await c.kill();
    const texts = Array.from({ length: 20 }, (_, n) => `without-${String(n).padStart(2, '0')}`);
    for (const text of texts) await api.postUntilAcknowledged(ada, room, text);
    // The dead node's partitions go to the others within the group's session timeout.
    await expect.poll(() => atB.texts(/^without-\d\d$/), { timeout: 45_000 }).toEqual(texts);
    await c.start();
    await expect.poll(() => atC.texts(/^without-\d\d$/), { timeout: 45_000 }).toEqual(texts);
    expect(await stayed(), 'the page was not loaded anew').toBe(true);
  });
});
