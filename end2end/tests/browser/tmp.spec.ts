import { expect, test } from '../../support/fixtures.ts';
import { live, RoomPage } from '../../support/pages.ts';
for (const colorScheme of ['light', 'dark'] as const) for (const width of [1280, 390]) for (const js of [true, false]) {
  test(`pic ${colorScheme} ${width} ${js}`, async ({ api, server, browser }) => {
    const [ada, lin] = [await api.register('Ada'), await api.register('Lin')];
    const room = await api.room(ada);
    await api.join(lin, room);
    const bodies = [
      '# A trip\n## With a plan\n### and a smaller title\n\nSome **bold**, *leaning* and ~~struck~~ words, `inline code`, and\na second line with https://a.example/a/very/long/address/that/goes/on/and/on/and/on/and/on/and/on/and/on/and/on?with=a&query=too',
      '- [x] buy bread\n- [ ] look at the map\n- a dot\n  - nested\n    - deeper\n\n1. first\n2. second\n\n10. ten',
      '| who | brings | how much |\n|---|:-:|--:|\n| Ada | the good thermos | 1 |\n| Lin | `bread` and **cheese** | 200 g |',
      'Look at this:\n```rust\nfn main() {\n    println!("a line that is rather long and goes on beyond what a phone can show, and then some, and more");\n}\n```\nand tell me.',
      `> what somebody said\n> in two lines\n>\n> > and before that\n\nI agree, @${lin.username}. See #${room.slug} and [the map](https://a.example).\n\n---\n\nThe end, @${ada.username}!`,
      '|a|b|c|d|e|f|g|h|i|j|k|l|m|n|o|p|\n|-|-|-|-|-|-|-|-|-|-|-|-|-|-|-|-|\n|alpha|beta|gamma|delta|alpha|beta|gamma|delta|alpha|beta|gamma|delta|alpha|beta|gamma|delta|',
      '> > > > > > > > > > > > > deep in quotes\n\n- a\n  - b\n    - c\n      - d\n        - e\n          - f\n            - g\n              - h',
      'plain  text with  two spaces, and <b>tags</b> &amp; so on',
    ];
    let at = '';
    for (const b of bodies) ({ at } = await api.post(lin, room, b));
    await api.history(room, ada, at);
    const context = await browser.newContext({ viewport: { width, height: 2300 }, colorScheme, javaScriptEnabled: js });
    const [name = '', ...value] = ada.cookie.split('=');
    await context.addCookies([{ name, value: value.join('='), domain: '127.0.0.1', path: '/' }]);
    const page = await context.newPage();
    const shown = await new RoomPage(page).open(server.url, room);
    if (js) { await live(api, ada, room, shown); await page.locator('#compose textarea').pressSequentially('hello @'); await expect(page.getByRole('listbox')).toBeVisible(); }
    await page.screenshot({ path: `test-results/pics/${colorScheme}-${width}-${js}.png` });
    const wide = await page.locator('.scroller').evaluate((s) => s.scrollWidth - s.clientWidth);
    expect(wide).toBeLessThanOrEqual(0);
    await context.close();
  });
}
