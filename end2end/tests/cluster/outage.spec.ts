// A service is away: what people see of it, and what they don't.
import { Api, unique } from '../../support/api.ts';
import { expect, test as base } from '../../support/fixtures.ts';
import { live, RoomPage } from '../../support/pages.ts';
import { Proxy } from '../../support/proxy.ts';
import { newCluster, Server } from '../../support/server.ts';

const test = base.extend<{ far: { node: Server; database: Proxy; redis: Proxy } }>({
  /** A node whose way to PostgreSQL and Redis can be cut. */
  far: async ({}, use) => {
    const cluster = await newCluster();
    const between = async (name: string) => {
      const url = new URL(cluster.settings[name]!);
      const proxy = await Proxy.to(url.hostname, Number(url.port));
      cluster.settings[name] = proxy.url(url.href);
      return proxy;
    };
    const [database, redis] = [await between('DATABASE_URL'), await between('REDIS_URL')];
    const node = await Server.node('far-node', cluster.settings);
    await use({ node, database, redis });
    [database, redis].forEach((proxy) => proxy.heal());
    await node.stop();
    await Promise.all([database.close(), redis.close()]);
    await cluster.dispose();
  },
});

test.use({ expectedComplaints: [/Failed to load resource|status of 50[03]/i] as never });

test('without the database people write on, and are told that the history cannot be read', async ({ far, newPerson }) => {
  test.setTimeout(120_000);
  const api = new Api(far.node.url);
  const ada = await api.register('Ada');
  const room = await api.room(ada);
  const hers = await new RoomPage(await newPerson(ada)).open(far.node.url, room);
  const other = await new RoomPage(await newPerson()).open(far.node.url, room);
  await live(api, ada, room, hers, other);
  await hers.composer.waitFor();

  far.database.cut();
  const banner = hers.page.getByText('Older messages cannot be read just now.');
  await expect(banner).toBeVisible();
  const text = unique('meanwhile');
  await hers.say(text);
  for (const shown of [hers, other]) await expect(shown.message(text)).toHaveCount(1);
  const late = await newPerson();
  const answer = await late.goto(`${far.node.url}/rooms/${room.slug}`);
  expect(answer?.status()).toBe(503);
  await expect(late.getByRole('main')).toContainText('This room cannot be read just now');

  far.database.heal();
  await expect(banner).toBeHidden({ timeout: 20_000 });
  await late.reload();
  await expect(new RoomPage(late).message(text)).toHaveCount(1);
});

test('without Redis messages go on arriving', async ({ far, newPerson }) => {
  const api = new Api(far.node.url);
  const ada = await api.register('Ada');
  const room = await api.room(ada);
  const hers = await new RoomPage(await newPerson(ada)).open(far.node.url, room);
  const other = await new RoomPage(await newPerson()).open(far.node.url, room);
  await live(api, ada, room, hers, other);
  await hers.composer.waitFor();

  far.redis.cut();
  const texts = [1, 2, 3].map((n) => unique(`dark-${n}`));
  for (const text of texts) {
    await hers.say(text);
    await expect(other.message(text)).toHaveCount(1);
  }
  far.redis.heal();
  const after = unique('dark-4');
  await hers.say(after);
  await expect(other.message(after)).toHaveCount(1);
  expect(await other.texts(/^dark-\d-/)).toEqual([...texts, after]);
});
