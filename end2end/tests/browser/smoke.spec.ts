// The least that a site must do, whichever tool has built it.
import { unique } from '../../support/api.ts';
import { expect, mark, test } from '../../support/fixtures.ts';
import { RoomPage } from '../../support/pages.ts';

test('the page comes to life, without a complaint of the browser', async ({ api, server, newPerson }) => {
  const ada = await api.register('Ada');
  const room = await api.room(ada);
  const shown = await new RoomPage(await newPerson(ada)).open(server.url, room);
  const stayed = await mark(shown.page);

  const live = unique('live');
  await api.post(ada, room, live);
  await expect(shown.message(live)).toHaveCount(1);
  const own = unique('own');
  await shown.say(own);
  await expect(shown.message(own)).toHaveCount(1);
  await expect.poll(async () => (await api.history(room, ada)).map((message) => message.body)).toEqual([live, own]);
  expect(await stayed(), 'the page was not loaded anew').toBe(true);
});

test('what a page names is there', async ({ server, request }) => {
  const html = await (await request.get(server.url)).text();
  const named = [...html.matchAll(/(?:href|src)="(\/(?:pkg|favicon)[^"]*)"/g)].map((match) => match[1]!);
  expect(named.length).toBeGreaterThan(1);
  for (const path of new Set(named)) {
    expect((await request.get(server.url + path)).status(), path).toBe(200);
  }
});

test('pages that are asked for at once are all answered, each with its own title', async ({ api, server }) => {
  test.slow();
  const ada = await api.register('Ada');
  const rooms = [await api.room(ada, unique('attic'), 'private'), await api.room(ada, unique('cellar'), 'private')];
  const pages = [
    ...rooms.map(({ slug }) => ({ path: `/rooms/${slug}`, cookie: ada.cookie, title: `#${slug} · Partyline` })),
    { path: '/rooms/welcome', cookie: '', title: '#welcome · Partyline' },
    { path: '/', cookie: '', title: 'Partyline' },
  ];
  const wrong: string[] = [];
  const ask = async (n: number) => {
    const { path, cookie, title } = pages[n % pages.length]!;
    const answer = await fetch(server.url + path, { headers: { cookie } }).then((answer) => answer.text(), String);
    const said = /<title>(.*?)<\/title>/.exec(answer)?.[1];
    if (said !== title) wrong.push(`${path}: ${said ?? answer.slice(0, 100)}`);
  };
  for (let n = 0; n < 400; n += 16) await Promise.all(Array.from({ length: 16 }, (_, k) => ask(n + k)));
  expect(wrong).toEqual([]);
});
