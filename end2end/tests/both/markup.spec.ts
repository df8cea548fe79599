// What people write is text, wherever a page shows it: also where HTML has rules of its own.
import { unique } from '../../support/api.ts';
import { expect, test } from '../../support/fixtures.ts';
import { live, RoomPage } from '../../support/pages.ts';

const hostile =
  '</title></textarea></script><meta http-equiv=refresh content="0;url=/login"><img src=x onerror="window.taken=1"> &lt;b&gt; <form action=/taken>';

test('a name, a draft and a message of markup put nothing on the page', async ({ api, server, newPerson, javaScriptEnabled }) => {
  const ada = await api.register('Ada');
  const name = `</title><meta http-equiv=refresh content=0;url=/login>&lt;${unique('x')}`;
  const room = await api.room(ada, name);
  const body = `\n${hostile} ${unique('body')}`;
  const { at } = await api.post(ada, room, body);
  expect((await api.history(room, ada, at)).at(-1)?.body).toBe(body);

  const page = await newPerson(ada);
  const draft = `\n${hostile} ${unique('draft')}`;
  await page.goto(`${server.url}/rooms/${room.slug}?draft=${encodeURIComponent(draft)}`);
  const shown = new RoomPage(page);
  if (javaScriptEnabled) await live(api, ada, room, shown);

  await expect(page).toHaveTitle(`#${name} · Partyline`);
  await expect(page.getByRole('heading', { level: 1 })).toContainText(name);
  await expect(shown.composer).toHaveValue(draft);
  await expect(shown.composer).toHaveAttribute('placeholder', `Message #${name}`);
  // With a script it comes when the menu is opened.
  if (javaScriptEnabled) await page.locator('.menu > summary').first().click();
  await expect(page.locator('.edit textarea').first()).toHaveValue(body);
  await expect(shown.timeline.locator('.body').first()).toHaveText(body.trim());
  await expect(page.locator('body meta, img:not([src*="/seen?at="]), [onerror], form[action="/taken"], meta[http-equiv]')).toHaveCount(0);
  expect(new URL(page.url()).pathname).toBe(`/rooms/${encodeURIComponent(room.slug)}`);
});

test('a draft of markup that comes to a visitor puts nothing on the page', async ({ api, server, page }) => {
  const room = await api.room(await api.register('Ada'));
  await page.goto(`${server.url}/rooms/${room.slug}?draft=${encodeURIComponent(hostile)}`);
  await expect(page.getByRole('textbox', { name: 'Your text' })).toHaveValue(hostile);
  await expect(page.locator('body meta, img:not([src*="/seen?at="]), [onerror], form[action="/taken"], meta[http-equiv]')).toHaveCount(0);
});

test('fields that come back with an error put nothing on the page', async ({ server, page }) => {
  const value = encodeURIComponent(`">${hostile}`);
  for (const path of ['login', 'register']) {
    await page.goto(`${server.url}/${path}?error=${value}&username=${value}&display_name=${value}&next=${value}`);
    await expect(page.getByLabel('User name')).toHaveValue(`">${hostile}`);
    await expect(page.locator('body meta, img:not([src*="/seen?at="]), [onerror], form[action="/taken"], meta[http-equiv]')).toHaveCount(0);
  }
});

test('a message can be edited after it was edited elsewhere', async ({ api, server, newPerson, javaScriptEnabled }) => {
  const ada = await api.register('Ada');
  const room = await api.room(ada);
  const { id } = await api.post(ada, room, 'As it was');
  const page = await newPerson(ada);
  const shown = await new RoomPage(page).open(server.url, room);
  if (javaScriptEnabled) await live(api, ada, room, shown);
  const { at } = (await (
    await api.call('PATCH', `/rooms/${room.id}/messages/${id}`, ada.token, { body: 'As it is' })
  ).json()) as { at: string };
  await api.history(room, ada, at);
  if (!javaScriptEnabled) await page.reload();
  await expect(shown.message('As it is')).toHaveCount(1);
  if (javaScriptEnabled) await page.locator('.menu > summary').first().click();
  await expect(page.locator('.edit textarea').first()).toHaveValue('As it is');
});
