// Pictures of the pages for people to look at: test-results/screens. What a
// picture cannot tell is checked: nothing is wider than the screen.
import { type Account, type Api, type Room, unique } from '../../support/api.ts';
import { expect, test } from '../../support/fixtures.ts';
import { RoomPage } from '../../support/pages.ts';

async function conversation(api: Api): Promise<{ ada: Account; lin: Account; room: Room; question: string }> {
  const [ada, lin] = [await api.register('Ada'), await api.register('Lin')];
  const room = await api.room(ada, unique('harbour'));
  await api.join(lin, room);
  await api.post(ada, room, 'Good morning! The ferry leaves at ten, and the wind is fair.');
  const { id: question } = await api.post(ada, room, 'Who brings the map?');
  await api.call('PUT', `/rooms/${room.id}/messages/${question}/pin`, ada.token);
  const { id } = await api.post(lin, room, 'I do. Also bread, cheese,\nand the good thermos.');
  await api.call('PUT', `/rooms/${room.id}/messages/${id}/reactions/${encodeURIComponent('👍')}`, ada.token);
  await api.post(lin, room, `A long one: ${'we walk along the quay until the lighthouse, then back by the dunes. '.repeat(6)}`);
  await api.post(ada, room, 'averyveryverylongwordthathasnospaceatallandmustnotmakethepagewider'.repeat(3));
  await api.post(
    lin,
    room,
    `# Plan\n\n- [x] **bread**\n- [ ] the map, @${ada.username}\n\n| who | what |\n|---|--:|\n| ${'wide '.repeat(40)} | 1 |\n\n` +
      `\`\`\`\nwalk("${'along the quay '.repeat(20)}")\n\`\`\`\n\n> ${'averylongquoteofoneword'.repeat(9)}`,
  );
  await api.reply(lin, room, question, 'The one of the coast, or that of the islands? I have both.');
  await api.reply(ada, room, question, 'Of the islands, please!');
  const { at } = await api.post(ada, room, 'See you at the pier.');
  await api.history(room, ada, at);
  return { ada, lin, room, question };
}

// A page that is not there is answered as such, so is what may not be, and what is cut on purpose; browsers say so.
test.use({ expectedComplaints: [/status of 40[34]|WebSocket connection|net::ERR/] as never });

for (const colorScheme of ['light', 'dark'] as const) {
  for (const width of [390, 1280]) {
    test(`pages at ${width} px, ${colorScheme}`, async ({ api, server, newPerson }) => {
      const { ada, room, question } = await conversation(api);
      const what = { topic: 'Every Sunday along the quay, in any weather' };
      await api.call('PATCH', `/rooms/${room.id}`, ada.token, what);
      const link = await (await api.call('POST', `/rooms/${room.id}/invites`, ada.token, { uses: 5 })).json();
      const empty = await api.room(ada, unique('quiet corner'));
      const eve = await api.register('Eve');
      server.makeAdmin(eve.username);
      const [member, visitor, admin] = [await newPerson(ada), await newPerson(), await newPerson(eve)];
      for (const [name, page, path] of [
        ['room', member, `/rooms/${room.slug}`],
        ['thread', member, `/rooms/${room.slug}?thread=${question}`],
        ['empty', member, `/rooms/${empty.slug}`],
        ['rooms', member, '/'],
        ['visitor-room', visitor, `/rooms/${room.slug}`],
        ['visitor', visitor, '/'],
        ['search', member, '/search?q=the'],
        ['settings', member, `/rooms/${room.slug}/settings`],
        ['about', visitor, `/rooms/${room.slug}/settings`],
        ['all-rooms', member, '/rooms'],
        ['invite', visitor, new URL(link.url).pathname],
        ['login', visitor, '/login'],
        ['register', visitor, '/register'],
        ['me', member, '/me'],
        ['admin', admin, '/admin'],
        ['admin-log', admin, '/admin/log'],
        ['admin-rooms', admin, '/admin/rooms'],
        ['missing', visitor, '/rooms/never-made'],
        ['nowhere', visitor, '/nowhere'],
      ] as const) {
        await page.emulateMedia({ colorScheme });
        await page.setViewportSize({ width, height: name === 'settings' ? 1900 : width === 390 ? 844 : 800 });
        await page.goto(server.url + path);
        await expect(page.getByRole('main')).toBeVisible();
        await page.screenshot({ path: `test-results/screens/${name}-${width}-${colorScheme}.png` });
        const wider = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        expect(wider, `${path} is wider than the screen`).toBeLessThanOrEqual(0);
      }
    });

    test(`troubles and menus at ${width} px, ${colorScheme}`, async ({ api, server, newPerson }) => {
      const { ada, lin, room } = await conversation(api);
      const page = await newPerson(lin);
      const picture = (name: string) => page.screenshot({ path: `test-results/screens/${name}-${width}-${colorScheme}.png` });
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await page.setViewportSize({ width, height: width === 390 ? 844 : 800 });
      await page.routeWebSocket(/\/ws$/, (socket) => socket.close());
      await page.route('**/api/fn/post', (route) => route.abort());
      const shown = await new RoomPage(page).open(server.url, room);
      await shown.row('See you at the pier.').locator('.menu > summary').click();
      await picture('menu');
      await page.keyboard.press('Escape');
      await expect(async () => {
        await page.keyboard.press('Control+k');
        await expect(page.getByRole('dialog', { name: 'Jump to a room' }).getByRole('option').first()).toBeVisible({ timeout: 2_000 });
      }).toPass();
      await picture('switcher');
      await page.keyboard.press('Escape');
      await shown.say('I am on the train, in a tunnel.');
      await expect(page.getByText('Not sent yet')).toBeVisible();
      await expect(page.getByText('No connection.')).toBeVisible();
      await picture('offline');
      await api.call('DELETE', `/rooms/${room.id}/members/${lin.username}`, ada.token);
      await page.unroute('**/api/fn/post');
      await expect(page.getByText('Not sent.')).toBeVisible({ timeout: 20_000 });
      await picture('failed');
      if (width === 390) {
        await page.getByRole('button', { name: /member/ }).click();
        await expect(page.locator('#members')).toBeVisible();
        await picture('members');
      }
    });
  }
}
