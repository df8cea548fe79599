// Reading, with and without JavaScript.
import { unique } from '../../support/api.ts';
import { expect, test } from '../../support/fixtures.ts';
import { RoomPage } from '../../support/pages.ts';

test('the history is in the first HTML', async ({ api, server, request }) => {
  const ada = await api.register('Ada');
  const room = await api.room(ada);
  const text = unique('first');
  const { at } = await api.post(ada, room, text);
  await api.history(room, ada, at);

  const html = await (await request.get(`${server.url}/rooms/${room.slug}`)).text();
  expect(html).toContain(text);
  // Inside a template it would be there for scripts alone.
  expect(html.replace(/<template[\s\S]*?<\/template>/g, '')).toContain(text);
});

test('a visitor reads a public room and sees who wrote', async ({ api, server, page }) => {
  const ada = await api.register('Ada');
  const room = await api.room(ada);
  const { at } = await api.post(ada, room, 'Good morning');
  await api.history(room, ada, at);

  const shown = await new RoomPage(page).open(server.url, room);
  await expect(shown.message('Good morning')).toHaveCount(1);
  await expect(shown.timeline.getByText('Ada').first()).toBeVisible();
  await expect(page.getByRole('heading', { name: room.name })).toBeVisible();
});

test('what looks like markup is text', async ({ api, server, page }) => {
  const ada = await api.register('Ada');
  const room = await api.room(ada);
  const text = '<img src=x onerror="document.title=1"> & </script><b>bold</b>';
  const { at } = await api.post(ada, room, text);
  await api.history(room, ada, at);

  const shown = await new RoomPage(page).open(server.url, room);
  await expect(shown.timeline).toContainText(text);
});

test('older messages are one link away', async ({ api, server, page }) => {
  const ada = await api.register('Ada');
  const room = await api.room(ada);
  let at = '';
  for (let n = 1; n <= 60; n++) ({ at } = await api.post(ada, room, `line ${n} of sixty`));
  await api.history(room, ada, at);

  const shown = await new RoomPage(page).open(server.url, room);
  await expect(shown.message('line 60 of sixty')).toHaveCount(1);
  await expect(shown.message('line 1 of sixty')).toHaveCount(0);
  await page.getByRole('link', { name: 'Older messages' }).click();
  await expect(shown.message('line 1 of sixty')).toHaveCount(1);
});

test("a room that is not for one's eyes looks like one that is not there", async ({ api, server, page }) => {
  const ada = await api.register('Ada');
  const secret = await api.room(ada, unique('Secret plans'), 'private');
  const answers = [];
  for (const slug of [secret.slug, 'never-made']) {
    const answer = await page.request.get(`${server.url}/rooms/${slug}`);
    answers.push([answer.status(), (await answer.text()).includes(secret.name)]);
  }
  expect(answers).toEqual([[404, false], [404, false]]);
});

test('every answer forbids foreign scripts', async ({ server, request }) => {
  for (const path of ['/', '/login', '/register', '/rooms/welcome']) {
    const policy = (await request.get(server.url + path)).headers()['content-security-policy'] ?? '';
    expect(policy, path).toContain("default-src 'none'");
    expect(policy, path).toMatch(/script-src[^;]*'nonce-/);
    expect(policy, path).not.toContain("'unsafe-inline'");
    expect(policy, path).toContain("frame-ancestors 'none'");
  }
});
