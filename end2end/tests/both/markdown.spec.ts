// Messages are Markdown, and nothing but Markdown: read with and without JavaScript.
import { type Account, type Api, type Room, unique } from '../../support/api.ts';
import { expect, test } from '../../support/fixtures.ts';
import { live, RoomPage } from '../../support/pages.ts';

async function posted(api: Api, who: Account, room: Room, ...bodies: string[]): Promise<void> {
  let at = '';
  for (const body of bodies) ({ at } = await api.post(who, room, body));
  await api.history(room, who, at);
}

test('a message is shown as its markup says', async ({ api, server, newPerson, javaScriptEnabled }) => {
  const [ada, lin] = [await api.register('Ada'), await api.register('Lin')];
  const room = await api.room(ada);
  await api.join(lin, room);
  await posted(
    api,
    ada,
    room,
    '# Plan\n\n**Bold**, *leaning*, ~~struck~~, `code <b>`\nnext line',
    '- [x] bread\n- [ ] cheese\n\n3. three\n4. four',
    '| who | when |\n|---|--:|\n| Lin | ten |',
    '```rust\nfn main() {\n    println!("a very long line {}", "x".repeat(200), "and on it goes, and on, and on, and on, and on, and on, and on");\n}\n```',
    '> quoted\n\n[a map](https://a.example/map) https://b.example/__x__.py ![a picture](https://c.example/p.png)',
    `for @${lin.username}, @${ada.username} and @nobody-here in #${room.slug}`,
  );
  const page = await newPerson(lin);
  const shown = await new RoomPage(page).open(server.url, room);
  const body = (text: string) => shown.timeline.locator('.body', { hasText: text });
  const plan = body('Plan');
  await expect(plan.locator('.heading')).toHaveText('Plan');
  await expect(plan.locator('strong')).toHaveText('Bold');
  await expect(plan.locator('em')).toHaveText('leaning');
  await expect(plan.locator('del')).toHaveText('struck');
  await expect(plan.locator('code')).toHaveText('code <b>');
  await expect(plan.locator('br')).toHaveCount(1);
  await expect(page.getByRole('heading', { name: 'Plan' })).toHaveCount(0);
  await expect(body('bread').getByRole('checkbox', { checked: true })).toHaveCount(1);
  await expect(body('bread').getByRole('checkbox', { checked: false })).toBeDisabled();
  await expect(body('bread').locator('ol')).toHaveAttribute('start', '3');
  await expect(shown.timeline.getByRole('cell', { name: 'ten' })).toHaveCSS('text-align', 'end');
  await expect(body('quoted').locator('blockquote')).toHaveText('quoted');
  const links = body('quoted').getByRole('link');
  await expect(links).toHaveText(['a map', 'https://b.example/__x__.py', 'a picture']);
  for (const link of await links.all()) {
    await expect(link).toHaveAttribute('rel', 'noopener noreferrer nofollow ugc');
    await expect(link).toHaveAttribute('target', '_blank');
  }
  await expect(body('nobody-here').locator('.mention')).toHaveText([`@${lin.username}`, `@${ada.username}`]);
  await expect(body('nobody-here').locator('.mention.own')).toHaveText([`@${lin.username}`]);
  await expect(body('nobody-here').getByRole('link')).toHaveAttribute('href', `/rooms/${room.slug}`);
  await expect(shown.timeline.getByRole('button', { name: 'Copy' })).toHaveCount(javaScriptEnabled ? 1 : 0);
  for (const width of [1280, 390]) {
    await page.setViewportSize({ width, height: 800 });
    const wider = await page.locator('.scroller').evaluate((scroller) => scroller.scrollWidth - scroller.clientWidth);
    expect(wider, `messages are wider than the room at ${width} px`).toBeLessThanOrEqual(0);
  }
  expect(await body('println').locator('pre').evaluate((code) => code.scrollWidth > code.clientWidth)).toBe(true);
});

test('nothing dangerous comes through a message', async ({ api, server, newPerson, javaScriptEnabled }) => {
  const ada = await api.register('Ada');
  const room = await api.room(ada);
  const hostile = [
    '<script>window.taken=1</script>',
    'a <img src=x onerror="window.taken=1"> <svg/onload=window.taken=1>',
    '<iframe srcdoc="<script>parent.taken=1</script>"></iframe>',
    '[a](javascript:window.taken=1) [b](JaVaScRiPt:window.taken=1) [c](java&#115;cript:window.taken=1)',
    '[d](data:text/html,<script>window.taken=1</script>) ![e](javascript:window.taken=1) <javascript:window.taken=1>',
    '[f]\n\n[f]: javascript:window.taken=1',
    '[g](https://a.example/"onmouseover="window.taken=1) https://a.example/"onclick="window.taken=1',
    '```"><img src=x onerror=window.taken=1>\n</code></pre><script>window.taken=1</script>\n```',
    '| <img src=x onerror=window.taken=1> |\n|-|\n| `</td><script>window.taken=1</script>` |',
    '</div></li></ol></main><form action=/taken><meta http-equiv=refresh content="0;url=/login">',
    '![p](https://a.example/pixel.png)',
    '> '.repeat(5_000) + 'deep',
    '*a '.repeat(4_000),
    `${'|a'.repeat(900)}\n${'|-'.repeat(900)}${'\n|b|'.repeat(900)}`,
  ];
  await posted(api, ada, room, ...hostile, 'the last');
  const page = await newPerson(ada);
  const foreign: string[] = [];
  page.on('request', (request) => request.url().startsWith(server.url) || foreign.push(request.url()));
  const shown = await new RoomPage(page).open(server.url, room);
  await expect(shown.message('the last')).toHaveCount(1);
  if (javaScriptEnabled) {
    await live(api, ada, room, shown);
    // Also as they come live, and as the writer's own browser shows them at once.
    for (const body of hostile.slice(0, 3)) await api.post(ada, room, body);
    await shown.say(hostile[1]!);
    await expect(shown.timeline.locator('.body', { hasText: 'onerror="window.taken=1"' })).toHaveCount(3);
    expect(await page.evaluate(() => 'taken' in window)).toBe(false);
  }
  const bad = 'script, iframe, img, svg, [onerror], [onload], [onclick], [onmouseover], form[action="/taken"], meta, style, [style]';
  await expect(shown.timeline.locator('.body').locator(bad)).toHaveCount(0);
  for (const link of await shown.timeline.locator('.body a').all()) {
    expect(await link.getAttribute('href')).toMatch(/^https:\/\/a\.example\//);
  }
  expect(foreign).toEqual([]);
  expect(new URL(page.url()).pathname).toBe(`/rooms/${room.slug}`);
  expect(await page.evaluate(() => document.querySelectorAll('*').length)).toBeLessThan(8_000);
});

test('a reply quotes the words without their markup', async ({ api, server, newPerson }) => {
  const ada = await api.register('Ada');
  const room = await api.room(ada);
  const text = unique('first');
  const { id } = await api.post(ada, room, `# ${text}\n\n- **one** [two](https://a.example) \`three\``);
  const reply = { id: crypto.randomUUID(), body: 'yes', reply_to: id };
  const answer = await api.call('POST', `/rooms/${room.id}/messages`, ada.token, reply);
  const { at } = (await answer.json()) as { at: string };
  await api.history(room, ada, at);
  const shown = await new RoomPage(await newPerson(ada)).open(server.url, room);
  await expect(shown.timeline.locator('.quote')).toHaveText(`Ada ${text} one two three`);
});

test('an edited message says so in its last line', async ({ api, server, newPerson }) => {
  const ada = await api.register('Ada');
  const room = await api.room(ada);
  const { id } = await api.post(ada, room, 'as it was');
  const answer = await api.call('PATCH', `/rooms/${room.id}/messages/${id}`, ada.token, { body: 'as *it* is' });
  const { at } = (await answer.json()) as { at: string };
  await api.history(room, ada, at);
  const shown = await new RoomPage(await newPerson(ada)).open(server.url, room);
  await expect(shown.timeline.locator('.body p')).toHaveText(['as it is (edited)']);
});
