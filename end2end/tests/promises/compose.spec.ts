// Writing a message.
import type { Page } from '@playwright/test';
import { live } from '../../support/pages.ts';
import { png } from '../../support/pictures.ts';
import { complaints, expect, test } from '../../support/world.ts';

test.use(complaints());

test('Enter sends, Shift+Enter breaks, safe while an input method composes', async ({ world }) => {
  const [hers, his] = [await world.adas(), await world.lins()];
  await live(world.api, world.ada, world.room, hers, his);
  const { page, composer: field } = hers;
  const session = await page.context().newCDPSession(page);
  await field.focus();
  // What is composed is taken over by Enter, and by that alone.
  await session.send('Input.imeSetComposition', { text: 'にほん', selectionStart: 3, selectionEnd: 3 });
  await expect(field).toHaveValue('にほん');
  for (const key of [{ isComposing: true }, { keyCode: 229 }]) await field.dispatchEvent('keydown', { key: 'Enter', ...key });
  await session.send('Input.insertText', { text: '日本' });
  await expect(field).toHaveValue('日本');
  await page.keyboard.press('Shift+Enter');
  await page.keyboard.type('two');
  await page.keyboard.press('Enter');
  await expect(field).toHaveValue('');
  await expect(his.timeline.locator('.body', { has: his.page.locator('br') })).toHaveText('日本two');
  await expect.poll(async () => (await world.api.history(world.room, world.ada)).map(({ body }) => body)).toEqual(['ready', '日本\ntwo']);
});

test('↑ edits the last own message', async ({ world }) => {
  const { ada, lin, room } = world;
  await world.said(ada, room, 'first of mine', 'last of mine');
  await world.said(lin, room, 'not mine');
  const [hers, his] = [await world.adas(), await world.lins()];
  await live(world.api, lin, room, hers, his);
  await hers.composer.fill('x');
  await hers.composer.press('ArrowUp');
  await expect(hers.page.getByRole('textbox', { name: 'New text' })).toHaveCount(0);
  await hers.composer.fill('');
  await hers.composer.press('ArrowUp');
  const field = hers.page.getByRole('textbox', { name: 'New text' });
  await expect(field).toBeFocused();
  await expect(field).toHaveValue('last of mine');
  await field.fill('put right');
  await field.press('Enter');
  for (const shown of [hers, his]) await expect(shown.message('put right')).toContainText('(edited)');
  await expect(his.message('last of mine')).toHaveCount(0);
  await expect(hers.composer).toBeFocused();
});

test('completion of @name, #room, :emoji:', async ({ world }) => {
  const { lin, room } = world;
  const hers = await world.adas();
  await live(world.api, lin, room, hers);
  const field = hers.page.locator('#compose textarea');
  const offered = hers.page.getByRole('listbox', { name: 'Suggestions' }).getByRole('option');
  await field.pressSequentially('hi @li');
  await expect(offered).toHaveText([`@${lin.username} Lin`]);
  await field.press('Enter');
  await field.pressSequentially(`see #${room.slug.slice(0, -2)}`);
  await expect(offered).toContainText([`#${room.slug}`]);
  await field.press('Tab');
  await field.pressSequentially(':tad');
  await offered.filter({ hasText: '🎉' }).click();
  await expect(field).toHaveValue(`hi @${lin.username} see #${room.slug} 🎉 `);
  await field.press('Enter');
  await expect(hers.timeline.locator('.mention')).toHaveText(`@${lin.username}`);
  await expect(hers.message(`hi @${lin.username} see #${room.slug} 🎉`).getByRole('link', { name: `#${room.slug}` })).toBeVisible();
});

test('a draft per room', async ({ world }) => {
  const other = await world.anotherRoom('pier');
  const { room } = world;
  const hers = await world.adas();
  await live(world.api, world.lin, room, hers);
  const draft = async (name: string, text: string) => {
    await expect(hers.page.getByRole('heading', { level: 1, name })).toBeVisible();
    await expect(hers.composer).toHaveValue(text);
  };
  const go = async (to: typeof room) => {
    if (world.narrow) await hers.page.getByRole('link', { name: 'Your rooms' }).click();
    await world.link(hers.page, to).click();
  };
  await hers.composer.pressSequentially('for the harbour');
  await go(other);
  await draft(other.name, '');
  await hers.composer.pressSequentially('for the pier');
  await go(room);
  await draft(room.name, 'for the harbour');
  await hers.page.reload();
  await draft(room.name, 'for the harbour');
  await hers.composer.press('Enter');
  await expect(hers.message('for the harbour')).toHaveCount(1);
  await go(other);
  await draft(other.name, 'for the pier');
  await go(room);
  await draft(room.name, '');
});

test('paste and drop of images with progress', async ({ world }) => {
  const [hers, his] = [await world.adas(), await world.lins()];
  await live(world.api, world.lin, world.room, hers, his);
  const row = (name: string) => hers.page.getByRole('list', { name: 'Files to send' }).getByRole('listitem').filter({ hasText: name });
  let release = () => {};
  const held = new Promise<void>((go) => (release = go));
  await hers.page.route('**/files?name=*', async (route) => {
    await held;
    await route.continue();
  });
  await bring(hers.page, 'paste', '#compose textarea', 'pasted.png');
  await bring(hers.page, 'drop', '.timeline', 'dropped.png');
  await expect(row('pasted.png').getByRole('progressbar')).toBeVisible();
  await hers.composer.fill('From the pier:');
  release();
  for (const name of ['pasted.png', 'dropped.png']) await expect(row(name)).toContainText(/\d (kB|bytes)/);
  await hers.composer.press('Enter');
  for (const shown of [hers, his]) {
    for (const name of ['pasted.png', 'dropped.png']) {
      const picture = shown.timeline.getByRole('img', { name });
      await expect.poll(() => picture.evaluate((img: HTMLImageElement) => img.complete && img.naturalWidth)).toBe(300);
    }
  }
  await expect(row('pasted.png')).toHaveCount(0);
});

/** A paste or a drop, as the browser would tell the page of it. */
async function bring(page: Page, kind: 'paste' | 'drop', on: string, name: string) {
  await page.evaluate(
    ({ kind, on, name, content }) => {
      const data = new DataTransfer();
      data.items.add(new File([Uint8Array.from(atob(content), (c) => c.charCodeAt(0))], name, { type: 'image/png' }));
      const init = { bubbles: true, cancelable: true };
      const target = document.querySelector(on);
      if (kind === 'paste') target?.dispatchEvent(new ClipboardEvent('paste', { ...init, clipboardData: data }));
      else for (const step of ['dragover', 'drop']) target?.dispatchEvent(new DragEvent(step, { ...init, dataTransfer: data }));
    },
    { kind, on, name, content: png(300, 200).toString('base64') },
  );
}
