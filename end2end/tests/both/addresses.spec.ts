// What addresses lead to.
import { unique } from '../../support/api.ts';
import { expect, test } from '../../support/fixtures.ts';

test('an address of a message that cannot be is not found', async ({ api, server, request }) => {
  const ada = await api.register('Ada');
  const room = await api.room(ada);
  const { id, at } = await api.post(ada, room, 'Here I am');
  await api.history(room, ada, at);
  const path = `/rooms/${room.slug}/m`;
  for (const missing of ['zzz', 'x.css', '1', `${id}x`, '00000000-0000-7000-8000-000000000000']) {
    const answer = await request.get(`${server.url}${path}/${missing}`);
    expect(answer.status(), missing).toBe(404);
    expect(await answer.text(), missing).not.toContain('Here I am');
  }
  expect((await request.get(`${server.url}${path}/${id}`)).status()).toBe(200);
});

test('an address with a slash at its end leads to the one without', async ({ api, server, request }) => {
  const room = await api.room(await api.register('Ada'));
  for (const path of [`/rooms/${room.slug}`, '/login', '/register']) {
    const answer = await request.get(`${server.url}${path}/?next=/x/`, { maxRedirects: 0 });
    expect([answer.status(), answer.headers().location]).toEqual([308, `${path}?next=/x/`]);
  }
  const outside = await request.get(`${server.url}//evil.example/`, { maxRedirects: 0 });
  expect(outside.headers().location ?? '/').toMatch(/^\/(?![/\\])/);
});

test('a form never leads to another site', async ({ server, request }) => {
  const evil = 'https://evil.example/';
  for (const [name, form] of [
    ['viewer', {}],
    ['rooms', {}],
    ['typing', { room: 'welcome' }],
    ['typing', {}],
    ['post', {}],
    ['theme', { choice: 'dark', next: evil }],
    ['theme', {}],
  ] as const) {
    const answer = await request.post(`${server.url}/api/fn/${name}`, {
      form,
      headers: { accept: 'text/html', referer: evil },
      maxRedirects: 0,
    });
    expect(answer.headers().location ?? '/', `${name} ${JSON.stringify(form)}`).toBe('/');
  }
});

test('typing in a room that is not there is answered as such', async ({ api, server, newPerson }) => {
  const page = await newPerson(await api.register('Ada'));
  const answer = await page.request.post(`${server.url}/api/fn/typing`, {
    form: { room: unique('never-made') },
    headers: { origin: server.url },
  });
  expect(answer.status()).toBe(404);
});
