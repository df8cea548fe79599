// What axe finds on every page, in both themes, at both widths. Nothing serious may be left.
import { AxeBuilder } from '@axe-core/playwright';
import { unique } from '../../support/api.ts';
import { expect, test } from '../../support/fixtures.ts';

// A page that is not there is answered as such, and so is a search that cannot be; browsers say so.
test.use({ expectedComplaints: [/status of 4(04|22)/] as never });

for (const width of [390, 1280]) {
  test(`axe finds nothing serious at ${width} px, light and dark`, async ({ api, server, newPerson }) => {
    // So many pages.
    test.setTimeout(300_000);
    const [ada, lin] = [await api.register('Ada'), await api.register('Lin')];
    const room = await api.room(ada, unique('access'));
    await api.join(lin, room);
    await api.post(lin, room, `hello @${ada.username}, see https://example.org and \`code\``);
    const { id } = await api.post(ada, room, '**bold** and a list:\n\n- one\n- two');
    await api.call('PUT', `/rooms/${room.id}/messages/${id}/reactions/${encodeURIComponent('👍')}`, ada.token);
    await api.call('PUT', `/rooms/${room.id}/messages/${id}/pin`, ada.token);
    await api.reply(lin, room, id, 'a reply');
    const last = await api.post(lin, room, 'the last');
    await api.history(room, ada, last.at);
    await api.call('PATCH', `/rooms/${room.id}`, ada.token, { topic: 'What everybody can use' });
    const link = await (await api.call('POST', `/rooms/${room.id}/invites`, ada.token, {})).json();
    const invite = new URL(link.url).pathname;
    const eve = await api.register('Eve');
    server.makeAdmin(eve.username);
    const [member, visitor, reader, admin] = [
      await newPerson(ada),
      await newPerson(),
      await newPerson(lin),
      await newPerson(eve),
    ];
    for (const [page, path] of [
      [member, '/'],
      [member, `/rooms/${room.slug}`],
      [member, `/rooms/${room.slug}?thread=${id}`],
      [visitor, `/rooms/${room.slug}`],
      [visitor, `/rooms/${room.slug}?thread=${id}`],
      [visitor, '/'],
      [member, `/search?q=hello+list&room=${room.slug}`],
      [member, '/search?q=bold'],
      [visitor, '/search?q=nowhere-to-be-found'],
      [visitor, '/search'],
      [member, `/rooms/${room.slug}/settings`],
      [reader, `/rooms/${room.slug}/settings`],
      [member, '/rooms'],
      [visitor, '/rooms?q=nowhere-to-be-found'],
      [visitor, invite],
      [member, invite],
      [visitor, '/invite/never-made'],
      [visitor, '/login'],
      [visitor, '/register'],
      [visitor, '/rooms/never-made'],
      [visitor, '/nowhere'],
      [member, `/rooms/${room.slug}/m/${id}`],
      [member, '/search?q=before:soon'],
      [visitor, '/login?error=bad_credentials'],
      [visitor, '/register?error=conflict'],
      [member, '/me'],
      [member, '/me?error=forbidden&of=password'],
      [admin, '/me?done=name'],
      [admin, '/admin'],
      [admin, '/admin/log'],
      [admin, '/admin/rooms'],
    ] as const) {
      await page.setViewportSize({ width, height: 800 });
      await page.goto(server.url + path);
      await expect(page.getByRole('main')).toBeVisible();
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
        // No page has frames; to gather what is in frames costs a page each time.
        const axe = new AxeBuilder({ page }).setLegacyMode();
        // The theme changes colours alone.
        const { violations, passes } = await (colorScheme === 'light' ? axe : axe.withRules(['color-contrast', 'link-in-text-block'])).analyze();
        expect(passes.length, 'axe has looked').toBeGreaterThan(colorScheme === 'light' ? 10 : 0);
        const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
        const told = serious.map(({ id, help, nodes }) => `${path}: ${id}: ${help}: ${nodes.map((node) => node.html).join('\n')}`);
        expect(told, colorScheme).toEqual([]);
      }
    }
  });
}
