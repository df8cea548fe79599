// What reads Markdown is fetched after the page: until it is there, and if it never comes, the page works.
import { type Page } from '@playwright/test';
import { type Account, type Api, type Room, unique } from '../../support/api.ts';
import { expect, mark, test } from '../../support/fixtures.ts';
import { live, RoomPage } from '../../support/pages.ts';

const CHUNK = '**/pkg/markdown.*.wasm';
const NASTY = '<img src=x onerror="document.title=\'gone\'">';

async function roomWithMarkup(api: Api): Promise<[Account, Room, string]> {
  const ada = await api.register('Ada');
  const room = await api.room(ada);
  const text = unique('before');
  const { at } = await api.post(ada, room, `**${text}**`);
  await api.history(room, ada, at);
  return [ada, room, text];
}

const body = (page: Page, text: string) => page.locator('.body', { hasText: text });

test('a message that comes before its reader is shown as it was written, then as its markup says', async ({
  api,
  server,
  newPerson,
}) => {
  const [ada, room, before] = await roomWithMarkup(api);
  const page = await newPerson(ada);
  let release = () => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  let fetched = 0;
  await page.route(CHUNK, async (route) => {
    fetched += 1;
    await held;
    await route.continue();
  });
  const shown = await new RoomPage(page).open(server.url, room);
  await live(api, ada, room, shown);
  const stayed = await mark(page);
  const [plain, marked] = [unique('plain'), unique('marked')];
  await api.post(ada, room, `${plain}\nand a line`);
  await api.post(ada, room, `**${marked}** ${NASTY}`);

  await expect(body(page, plain).locator('br')).toHaveCount(1);
  await expect(body(page, marked)).toHaveText(`**${marked}** ${NASTY}`);
  await expect(body(page, marked).locator('strong, img')).toHaveCount(0);
  // What the server has rendered needs no reader.
  await expect(body(page, before).locator('strong')).toHaveText(before);
  expect(fetched, 'it is fetched once').toBe(1);

  release();
  await expect(body(page, marked).locator('strong')).toHaveText(marked);
  await expect(body(page, marked)).toHaveText(`${marked} ${NASTY}`);
  await expect(body(page, marked).locator('img')).toHaveCount(0);
  await expect(body(page, before).locator('strong')).toHaveText(before);
  await expect(page).not.toHaveTitle('gone');
  expect(await stayed(), 'the page was not loaded anew').toBe(true);
});

test.describe('without its reader', () => {
  test.use({ expectedComplaints: [/status of 404|HTTP status code is not ok/] as never });

  test('the page goes on, and tries again with the next message', async ({ api, server, newPerson }) => {
    const [ada, room, before] = await roomWithMarkup(api);
    const page = await newPerson(ada);
    // As a node of another build answers: it has none of this name.
    await page.route(CHUNK, (route) => route.fulfill({ status: 404, body: 'not here' }));
    const shown = await new RoomPage(page).open(server.url, room);
    await live(api, ada, room, shown);
    const [first, own, second] = [unique('first'), unique('own'), unique('second')];
    await api.post(ada, room, `_${first}_`);
    await expect(body(page, first)).toHaveText(`_${first}_`);
    await shown.say(`**${own}**`);
    await expect(body(page, own)).toHaveText(`**${own}**`);
    await expect(body(page, before).locator('strong')).toHaveText(before);
    await expect.poll(async () => (await api.history(room, ada)).length).toBeGreaterThan(2);

    await page.unroute(CHUNK);
    await api.post(ada, room, `_${second}_`);
    await expect(body(page, second).locator('em')).toHaveText(second);
    await expect(body(page, first).locator('em')).toHaveText(first);
    await expect(body(page, own).locator('strong')).toHaveText(own);
  });

  test('a page that cannot hear yet says so, and hears what it has missed', async ({ api, server, newPerson }) => {
    const [ada, room, before] = await roomWithMarkup(api);
    const page = await newPerson(ada);
    const hearing = '**/pkg/live.*.wasm';
    await page.route(hearing, (route) => route.fulfill({ status: 404, body: 'not here' }));
    await new RoomPage(page).open(server.url, room);
    await expect(page.getByText('No connection.')).toBeVisible();
    const missed = unique('missed');
    await api.post(ada, room, missed);

    await page.unroute(hearing);
    await expect(body(page, missed)).toHaveCount(1);
    await expect(page.getByText('No connection.')).toBeHidden();
    await expect(body(page, before)).toHaveCount(1);
  });
});

test('a chunk of another build is not to be had', async ({ server, request }) => {
  const script = await (await request.get(`${server.url}/pkg/partyline.js`)).text();
  const chunks = /\.\/(chunks\.(\w+)\.js)/.exec(script);
  expect(chunks, 'the program names its build').not.toBeNull();
  const [, loader, build] = chunks!;
  expect(await (await request.get(`${server.url}/pkg/${loader}`)).text()).toContain(`markdown.${build}.wasm`);
  expect((await request.get(`${server.url}/pkg/markdown.${build}.wasm`)).status()).toBe(200);
  expect((await request.get(`${server.url}/pkg/markdown.${'0'.repeat(build!.length)}.wasm`)).status()).toBe(404);
});
