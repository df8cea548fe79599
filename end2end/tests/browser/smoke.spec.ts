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
