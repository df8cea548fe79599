// What one has not read, and how one comes there.
import { mark } from '../../support/fixtures.ts';
import { complaints, expect, plain, test } from '../../support/world.ts';

test.use(complaints());

test('unread and mention badges, in title and favicon too', plain, async ({ world, javaScriptEnabled }) => {
  const { ada, lin, room } = world;
  const other = await world.anotherRoom('pier');
  await world.said(ada, room, 'one', 'two');
  const his = await world.lins(world.narrow ? '/' : `/rooms/${other.slug}`);
  await expect(world.badge(his.page, room)).toHaveText('2, 2 unread');
  await expect(his.page).toHaveTitle(/^\(2\) /);
  await world.said(ada, room, `three, @${lin.username}`);
  await expect(async () => {
    if (!javaScriptEnabled) await his.page.reload();
    await expect(world.badge(his.page, room)).toHaveText('@1, 3 unread, 1 mention you', { timeout: 2_000 });
  }).toPass({ timeout: 10_000 });
  await expect(his.page).toHaveTitle(/^\(@1\) /);
  // The icon is the script's: it changes while one looks elsewhere.
  if (javaScriptEnabled) await expect(his.page.locator('#icon')).toHaveAttribute('href', '/favicon-unread.svg');
  await world.link(his.page, room).click();
  await expect(his.message('two')).toBeVisible();
  // The page that shows them is the one by which they are read.
  if (!javaScriptEnabled) await his.page.goto(world.urls[1] + '/');
  await expect(his.page).not.toHaveTitle(/^\(/);
  await expect(his.page.locator('#icon')).toHaveAttribute('href', '/favicon.svg');
});

test("read when seen, on all one's devices", plain, async ({ world, javaScriptEnabled }) => {
  const { ada, room } = world;
  await world.said(ada, room, 'not seen yet');
  const [his, other] = [await world.lins('/'), await world.linsOther('/')];
  for (const { page } of [his, other]) await expect(world.badge(page, room)).toHaveText(/^1,/);
  await world.link(his.page, room).click();
  await expect(his.message('not seen yet')).toBeVisible();
  await expect(async () => {
    if (!javaScriptEnabled) await other.page.reload();
    await expect(world.badge(other.page, room)).toHaveCount(0, { timeout: javaScriptEnabled ? 10_000 : 500 });
  }).toPass();
  await expect(world.link(other.page, room)).toBeVisible();
});

test('Ctrl/⌘+K switcher', async ({ world }) => {
  const [pier, cafe] = [await world.anotherRoom('pier'), await world.anotherRoom('cafe')];
  const hers = await world.adas();
  const { page } = hers;
  const stayed = await mark(page);
  const dialog = page.getByRole('dialog', { name: 'Jump to a room' });
  const jump = async (keys: string, letters: string) => {
    // The keys are the script's: it has to be there first.
    await expect(async () => {
      await page.keyboard.press(keys);
      await expect(dialog.getByRole('combobox')).toBeFocused({ timeout: 2_000 });
    }).toPass();
    await page.keyboard.type(letters);
    await expect(dialog.getByRole('option')).toHaveCount(1);
    await page.keyboard.press('Enter');
    await expect(dialog).toHaveCount(0);
  };
  await jump('Control+k', pier.name);
  await expect(page.getByRole('heading', { level: 1, name: pier.name })).toBeVisible();
  await jump('Meta+k', cafe.name.slice(-8));
  await expect(page.getByRole('heading', { level: 1, name: cafe.name })).toBeVisible();
  await expect(page).toHaveURL(new RegExp(`/rooms/${cafe.slug}$`));
  expect(await stayed(), 'the page was not loaded anew').toBe(true);
});

test('all / mentions / mute per room', plain, async ({ world, javaScriptEnabled }) => {
  const { ada, lin, room } = world;
  const his = await world.lins();
  const other = await world.linsOther('/');
  const choose = async (level: string) => {
    const form = (await world.members(his.page)).getByRole('form', { name: 'Notifications of this room' });
    await form.getByRole('button', { name: level }).click();
    await expect((await world.members(his.page)).getByRole('button', { name: level })).toHaveAttribute('aria-pressed', 'true');
  };
  const shown = async (text: string | undefined) =>
    expect(async () => {
      if (!javaScriptEnabled) await other.page.reload();
      const badge = world.badge(other.page, room);
      const timeout = javaScriptEnabled ? 5_000 : 500;
      if (text === undefined) await expect(badge).toHaveCount(0, { timeout });
      else await expect(badge).toHaveText(text, { timeout });
    }).toPass();
  await expect((await world.members(his.page)).getByRole('button', { name: 'All' })).toHaveAttribute('aria-pressed', 'true');
  await choose('Mentions');
  // Somewhere else, so that nothing is read by being seen.
  await his.page.goto(world.urls[1] + '/');
  await world.said(ada, room, 'for everybody', `for @${lin.username}`);
  await shown('@1, 1 unread, 1 mention you');
  await his.open(world.urls[1], room);
  await choose('Mute');
  await his.page.goto(world.urls[1] + '/');
  await world.said(ada, room, `once more for @${lin.username}`);
  await expect(async () => {
    if (!javaScriptEnabled) await other.page.reload();
    await expect(world.link(other.page, room)).toContainText('muted', { timeout: 2_000 });
  }).toPass();
  await shown(undefined);
  await his.open(world.urls[1], room);
  await choose('All');
});
