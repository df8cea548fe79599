// Files on their way into a message: chosen, pasted, dropped; and what can go wrong meanwhile.
import { AxeBuilder } from '@axe-core/playwright';
import type { Locator, Page } from '@playwright/test';
import { type Account, type Api, type Room, unique } from '../../support/api.ts';
import { expect, test } from '../../support/fixtures.ts';
import { live, RoomPage } from '../../support/pages.ts';
import { png } from '../../support/pictures.ts';

// Requests are broken off here on purpose.
test.use({ expectedComplaints: [/Failed to load resource|net::ERR/] as never });

interface Desk {
  ada: Account;
  room: Room;
  shown: RoomPage;
  button: Locator;
  row: (name: string) => Locator;
}

async function desk(api: Api, url: string, newPerson: (as?: Account) => Promise<Page>): Promise<Desk> {
  const ada = await api.register('Ada');
  const room = await api.room(ada, unique('gallery'));
  const shown = await new RoomPage(await newPerson(ada)).open(url, room);
  await live(api, ada, room, shown);
  const list = shown.page.getByRole('list', { name: 'Files to send' });
  const row = (name: string) => list.getByRole('listitem').filter({ hasText: name });
  return { ada, room, shown, button: shown.page.getByLabel('Add files'), row };
}

const photo = (name = 'photo.png', width = 1200, height = 900) => ({ name, mimeType: 'image/png', buffer: png(width, height) });
const report = { name: 'report.pdf', mimeType: 'application/pdf', buffer: Buffer.from('%PDF-1.7 nothing in it') };

/** A paste or a drop, as the browser would tell the page of it. */
async function bring(page: Page, kind: 'paste' | 'drop', on: string, file: { name: string; mimeType: string; buffer: Buffer }, text = '') {
  const given = { kind, on, name: file.name, type: file.mimeType, text, content: file.buffer.toString('base64') };
  await page.evaluate(({ kind, on, name, type, text, content }) => {
    const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
    const data = new DataTransfer();
    data.items.add(new File([bytes], name, { type }));
    if (text) data.setData('text/plain', text);
    const init = { bubbles: true, cancelable: true };
    const target = document.querySelector(on);
    if (kind === 'paste') target?.dispatchEvent(new ClipboardEvent('paste', { ...init, clipboardData: data }));
    else for (const step of ['dragover', 'drop']) target?.dispatchEvent(new DragEvent(step, { ...init, dataTransfer: data }));
  }, given);
}

test('files that are chosen are sent with the text, and everybody sees them at once', async ({ api, server, newPerson }) => {
  const { ada, room, shown, button, row } = await desk(api, server.url, newPerson);
  const lin = await api.register('Lin');
  const other = await new RoomPage(await newPerson(lin)).open(server.url, room);
  await api.post(ada, room, 'here too?');
  await expect(other.message('here too?')).toHaveCount(1);

  await button.setInputFiles([photo(), report]);
  await expect(row('photo.png')).toContainText('kB');
  await expect(row('report.pdf')).toContainText('22 bytes');
  await shown.composer.fill('From the pier:');
  await shown.composer.press('Enter');
  for (const page of [shown, other]) {
    const picture = page.timeline.getByRole('img', { name: 'photo.png' });
    await expect(picture).toBeVisible();
    await expect.poll(() => picture.evaluate((img: HTMLImageElement) => img.naturalWidth)).toBe(1200);
    expect(await picture.evaluate((img) => [img.clientWidth, img.clientHeight])).toEqual([480, 360]);
    await expect(page.timeline.getByRole('link', { name: 'report.pdf' })).toHaveAttribute('href', /^\/files\/.*\/report\.pdf$/);
  }
  await expect(row('photo.png')).toHaveCount(0);
  const last = (await api.history(room, ada)).at(-1)?.body ?? '';
  expect(last).toMatch(/^From the pier:\n\n!\[photo\.png\]\(\/files\/[0-9a-f-]{36}\/1200x900\/photo\.png\) \[report\.pdf\]\(\S+\)$/);

  const [saved] = await Promise.all([shown.page.waitForEvent('download'), shown.timeline.getByRole('link', { name: 'report.pdf' }).click()]);
  expect(saved.suggestedFilename()).toBe('report.pdf');
  const [beside] = await Promise.all([shown.page.waitForEvent('popup'), shown.timeline.getByRole('link', { name: 'photo.png' }).click()]);
  await expect(beside).toHaveURL(/\/files\/.*\/photo\.png$/);
  await expect(beside.locator('img')).toHaveJSProperty('naturalWidth', 1200);
});

test('a picture is pasted, and what is a text too is pasted as a text', async ({ api, server, newPerson }) => {
  const { shown, row } = await desk(api, server.url, newPerson);
  await bring(shown.page, 'paste', '#compose textarea', photo('cells.png'), 'a\tb');
  await bring(shown.page, 'paste', '#compose textarea', photo('image.png', 60, 40));
  await expect(row('image.png')).toContainText('bytes');
  await expect(row('cells.png')).toHaveCount(0);
  await shown.composer.press('Enter');
  await expect(shown.timeline.getByRole('img', { name: 'image.png' })).toBeVisible();
});

test('a file is dropped anywhere on the page', async ({ api, server, newPerson }) => {
  const { shown, row } = await desk(api, server.url, newPerson);
  await bring(shown.page, 'drop', '.timeline', photo('dropped.png', 300, 200));
  await expect(row('dropped.png')).toContainText('kB');
  await expect(shown.page).toHaveURL(/\/rooms\//);
  await shown.send.click();
  await expect(shown.timeline.getByRole('img', { name: 'dropped.png' })).toBeVisible();
});

test('Enter while a file is on its way sends the message once it is there', async ({ api, server, newPerson }) => {
  const { ada, room, shown, button, row } = await desk(api, server.url, newPerson);
  let release = () => {};
  const held = new Promise<void>((go) => (release = go));
  await shown.page.route('**/files?name=*', async (route) => {
    await held;
    await route.continue();
  });
  await button.setInputFiles(photo());
  await expect(row('photo.png').getByRole('progressbar')).toBeVisible();
  const text = unique('with a picture');
  await shown.composer.fill(text);
  await shown.composer.press('Enter');
  await expect(shown.page.getByText('Is sent as soon as the files are there.')).toBeVisible();
  await expect(shown.composer).toHaveValue(text);
  await shown.composer.pressSequentially(', and more');
  await expect(shown.message(text)).toHaveCount(0);
  release();
  await expect(shown.timeline.getByRole('img', { name: 'photo.png' })).toBeVisible();
  await expect(shown.composer).toHaveValue('');
  await expect.poll(async () => (await api.history(room, ada)).at(-1)?.body).toContain(`${text}, and more\n\n![photo.png](`);
});

test('a file that fails is tried again, and the text stays', async ({ api, server, newPerson }) => {
  const { shown, button, row } = await desk(api, server.url, newPerson);
  let broken = true;
  await shown.page.route('**/files?name=*', (route) => (broken ? route.abort() : route.continue()));
  const text = unique('patience');
  await shown.composer.fill(text);
  await button.setInputFiles([photo()]);
  await shown.composer.press('Enter');
  await expect(row('photo.png').getByRole('alert')).toHaveText('The server was not reached.');
  await shown.send.click();
  await expect(shown.page.getByText('A file could not be uploaded.')).toBeVisible();
  await expect(shown.composer).toHaveValue(text);
  broken = false;
  await row('photo.png').getByRole('button', { name: 'Retry' }).click();
  await expect(row('photo.png')).toContainText('kB');
  await shown.send.click();
  await expect(shown.timeline.getByRole('img', { name: 'photo.png' })).toBeVisible();
  await expect(shown.page.getByText('A file could not be uploaded.')).toHaveCount(0);
});

test('what the server will not take is said, and can be taken out', async ({ api, server, newPerson }) => {
  const { shown, button, row } = await desk(api, server.url, newPerson);
  const large = { name: 'large.bin', mimeType: 'application/octet-stream', buffer: Buffer.alloc(10 * 1024 * 1024 + 1) };
  const damaged = { name: 'damaged.png', mimeType: 'image/png', buffer: png(40, 30).subarray(0, 30) };
  await button.setInputFiles([large, damaged, report]);
  await expect(row('large.bin').getByRole('alert')).toHaveText('A file may have 10 MiB at most.');
  await expect(row('damaged.png').getByRole('alert')).toContainText('damaged');
  await expect(row('report.pdf')).toContainText('22 bytes');
  await expect(row('large.bin').getByRole('button', { name: 'Retry' })).toHaveCount(0);
  for (const name of ['large.bin', 'damaged.png']) await row(name).getByRole('button', { name: `Remove ${name}` }).click();
  await shown.send.click();
  await expect(shown.timeline.getByRole('link', { name: 'report.pdf' })).toBeVisible();
});

test('an upload is stopped, and the message goes without it', async ({ api, server, newPerson }) => {
  const { shown, button, row } = await desk(api, server.url, newPerson);
  await shown.page.route('**/files?name=*', () => {});
  await button.setInputFiles(photo());
  await expect(row('photo.png').getByRole('progressbar')).toBeVisible();
  const text = unique('without');
  await shown.composer.fill(text);
  await shown.composer.press('Enter');
  await row('photo.png').getByRole('button', { name: 'Remove photo.png' }).click();
  await expect(shown.message(text)).toHaveCount(1);
});

test('what is uploaded is still there after a reload', async ({ api, server, newPerson }) => {
  const { shown, button, row } = await desk(api, server.url, newPerson);
  await button.setInputFiles(photo('kept.png', 300, 200));
  await expect(row('kept.png')).toContainText('kB');
  await shown.page.reload();
  await expect(row('kept.png')).toContainText('kB');
  await shown.send.click();
  await expect(shown.timeline.getByRole('img', { name: 'kept.png' })).toBeVisible();
  await shown.page.reload();
  await expect(shown.timeline.getByRole('img', { name: 'kept.png' })).toBeVisible();
  await expect(row('kept.png')).toHaveCount(0);
});

test('a picture has its room before it is there', async ({ api, server, newPerson }) => {
  const { shown, button, row } = await desk(api, server.url, newPerson);
  await button.setInputFiles(photo('slow.png', 2000, 3000));
  await expect(row('slow.png')).toContainText('kB');
  await shown.send.click();
  await shown.page.route('**/files/**', () => {});
  await shown.page.reload();
  const picture = shown.timeline.getByRole('img', { name: 'slow.png' });
  expect(await picture.evaluate((img) => [img.clientWidth, img.clientHeight])).toEqual([240, 360]);
});

for (const colorScheme of ['light', 'dark'] as const) {
  for (const width of [390, 1280]) {
    test(`files at ${width} px, ${colorScheme}`, async ({ api, server, newPerson }) => {
      const { shown, button, row } = await desk(api, server.url, newPerson);
      const page = shown.page;
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await page.setViewportSize({ width, height: 844 });
      await button.setInputFiles([photo(), photo('tall.png', 300, 1200), { ...report, name: 'The report of a very long year, with all its annexes and tables.pdf' }]);
      await expect(row('The report')).toContainText('22 bytes');
      await shown.composer.fill('Two pictures and what they are about:');
      await shown.send.click();
      await expect(shown.timeline.getByRole('img', { name: 'tall.png' })).toBeVisible();
      await expect.poll(() => shown.timeline.getByRole('img', { name: 'tall.png' }).evaluate((img: HTMLImageElement) => img.naturalWidth)).toBe(300);
      await button.setInputFiles([photo('ready.png', 300, 200), report]);
      await expect(row('report.pdf')).toContainText('22 bytes');
      await page.route('**/files?name=*', (route) => (route.request().url().includes('broken') ? route.abort() : undefined));
      await button.setInputFiles([photo('broken.png'), photo('going.png'), photo('waiting.png')]);
      await expect(row('broken.png').getByRole('alert')).toBeVisible();
      await expect(row('going.png').getByRole('progressbar')).toBeVisible();
      await page.screenshot({ path: `test-results/screens/files-${width}-${colorScheme}.png` });
      const wider = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      expect(wider, 'wider than the screen').toBeLessThanOrEqual(0);
      const { violations } = await new AxeBuilder({ page }).analyze();
      const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
      expect(serious.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join('\n')}`)).toEqual([]);
    });
  }
}
