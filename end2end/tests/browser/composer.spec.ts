// Writing with a script: names are completed, words made bold, code copied.
import type { Locator } from '@playwright/test';
import { type Account, type Api, type Room, unique } from '../../support/api.ts';
import { expect, test } from '../../support/fixtures.ts';
import { live, RoomPage } from '../../support/pages.ts';

interface Desk {
  ada: Account;
  lin: Account;
  room: Room;
  shown: RoomPage;
  field: Locator;
  list: Locator;
}

async function desk(api: Api, url: string, newPerson: (as?: Account) => Promise<import('@playwright/test').Page>): Promise<Desk> {
  const [ada, lin] = [await api.register('Ada'), await api.register('Lin')];
  const room = await api.room(ada);
  await api.join(lin, room);
  const shown = await new RoomPage(await newPerson(ada)).open(url, room);
  await live(api, ada, room, shown);
  // A box for text that becomes a combo box while something is offered.
  const field = shown.page.locator('#compose textarea');
  return { ada, lin, room, shown, field, list: shown.page.getByRole('listbox', { name: 'Suggestions' }) };
}

test('a name is completed by keyboard, and Enter sends only when nothing is offered', async ({ api, server, newPerson }) => {
  const { lin, room, shown, field, list } = await desk(api, server.url, newPerson);
  await expect(field).not.toHaveAttribute('aria-expanded');
  await field.pressSequentially('hi @li');
  await expect(list.getByRole('option')).toHaveText([`@${lin.username} Lin`]);
  const box = shown.page.getByRole('combobox');
  await expect(box).toHaveAttribute('aria-expanded', 'true');
  await expect(box).toHaveAttribute('aria-controls', 'suggestions');
  await expect(box).toHaveAttribute('aria-activedescendant', 'suggestions-0');
  await expect(list.getByRole('option', { selected: true })).toHaveId('suggestions-0');
  await field.press('Enter');
  await expect(field).toHaveValue(`hi @${lin.username} `);
  await expect(list).toHaveCount(0);
  await expect(shown.composer).toBeFocused();
  await field.pressSequentially('and welcome');
  await field.press('Enter');
  await expect(shown.message(`hi @${lin.username} and welcome`)).toHaveCount(1);
  await expect(shown.timeline.locator('.mention')).toHaveText(`@${lin.username}`);
  await expect(field).toHaveValue('');
  await expect.poll(async () => (await api.history(room)).at(-1)?.body).toBe(`hi @${lin.username} and welcome`);
});

test('arrows choose, Tab takes, Escape closes until another word', async ({ api, server, newPerson }) => {
  const { ada, lin, shown, field, list } = await desk(api, server.url, newPerson);
  await field.pressSequentially('@');
  // Others before oneself, and before everyone.
  await expect(list.getByRole('option').locator('.sign')).toHaveText([`@${lin.username}`, `@${ada.username}`, '@all']);
  await field.press('ArrowDown');
  await expect(list.getByRole('option', { selected: true })).toContainText(ada.username);
  await field.press('ArrowUp');
  await field.press('ArrowUp');
  await expect(list.getByRole('option', { selected: true })).toContainText('@all');
  await field.press('ArrowDown');
  await expect(list.getByRole('option', { selected: true })).toContainText(lin.username);
  await field.press('ArrowDown');
  await field.press('Tab');
  await expect(field).toHaveValue(`@${ada.username} `);
  await field.pressSequentially('@l');
  await expect(list).toBeVisible();
  await field.press('Escape');
  await expect(list).toHaveCount(0);
  await field.pressSequentially('i');
  await expect(list).toHaveCount(0);
  await field.pressSequentially(' @l');
  await expect(list).toBeVisible();
  await field.press('Shift+Enter');
  await expect(list).toHaveCount(0);
  await expect(field).toHaveValue(`@${ada.username} @li @l\n`);
  await expect(shown.timeline.getByRole('article')).toHaveCount(1);
});

test('rooms and emoji are completed by mouse', async ({ api, server, newPerson }) => {
  const { room, shown, field, list } = await desk(api, server.url, newPerson);
  await field.pressSequentially(`see #${room.slug.slice(0, -1)}`);
  await list.getByRole('option', { name: `#${room.slug}` }).click();
  await expect(field).toHaveValue(`see #${room.slug} `);
  await expect(field).toBeFocused();
  await field.pressSequentially(':tad');
  await list.getByRole('option', { name: '🎉' }).click();
  await expect(field).toHaveValue(`see #${room.slug} 🎉 `);
  // The browser's own undo takes it back.
  await field.press('ControlOrMeta+z');
  await expect(field).toHaveValue(`see #${room.slug} :tad`);
  await field.fill('at 10:30');
  await expect(list).toHaveCount(0);
  await field.pressSequentially(' @');
  await expect(list).toBeVisible();
  await shown.page.getByRole('heading', { level: 1 }).click();
  await expect(list).toHaveCount(0);
});

test('an input method has the keys while it composes', async ({ api, server, newPerson }) => {
  const { field, list, shown } = await desk(api, server.url, newPerson);
  const session = await shown.page.context().newCDPSession(shown.page);
  await field.focus();
  await session.send('Input.imeSetComposition', { text: '@l', selectionStart: 2, selectionEnd: 2 });
  await expect(field).toHaveValue('@l');
  await expect(list).toHaveCount(0);
  await field.dispatchEvent('keydown', { key: 'Enter', isComposing: true, keyCode: 229 });
  await expect(field).toHaveValue('@l');
  await session.send('Input.insertText', { text: '@li' });
  await expect(field).toHaveValue('@li');
  await expect(list.getByRole('option')).toHaveCount(1);
  await expect(shown.timeline.getByRole('article')).toHaveCount(1);
});

test('words are made bold and leaning by keyboard, and plain again', async ({ api, server, newPerson }) => {
  const { shown, field } = await desk(api, server.url, newPerson);
  await field.fill('a word');
  for (let n = 0; n < 4; n++) await field.press('Shift+ArrowLeft');
  await field.press('ControlOrMeta+b');
  await expect(field).toHaveValue('a **word**');
  await field.press('ControlOrMeta+i');
  await expect(field).toHaveValue('a ***word***');
  await field.press('ControlOrMeta+b');
  await expect(field).toHaveValue('a *word*');
  await field.press('Enter');
  await expect(shown.timeline.locator('.body em')).toHaveText('word');
});

test('the field grows with its text up to a bound', async ({ api, server, newPerson }) => {
  const { field } = await desk(api, server.url, newPerson);
  const height = async () => (await field.boundingBox())?.height ?? 0;
  const one = await height();
  await field.fill('a\nb\nc\nd');
  expect(await height()).toBeGreaterThan(one + 30);
  await field.fill('a\n'.repeat(99));
  expect(await height()).toBeLessThanOrEqual(0.4 * 800 + 1);
  await field.fill('');
  expect(await height()).toBe(one);
});

test('code is copied as it was written', async ({ api, server, newPerson }) => {
  const { ada, room, shown, field } = await desk(api, server.url, newPerson);
  const code = `if a < b {\n    ${unique('go')}();\n}`;
  await api.post(ada, room, `\`\`\`\n${code}\n\`\`\``);
  const button = shown.timeline.getByRole('button', { name: /^Cop/ });
  await button.click();
  await expect(button).toHaveText('Copied');
  await field.focus();
  await field.press('ControlOrMeta+v');
  await expect(field).toHaveValue(new RegExp(`^${code.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}\\n?$`));
  await expect(button).toHaveText('Copy');
});

test('a message that comes to name somebody who joins is shown so', async ({ api, server, newPerson }) => {
  const { ada, room, shown } = await desk(api, server.url, newPerson);
  const noor = await api.register('Noor');
  await api.post(ada, room, `where is @${noor.username}?`);
  await expect(shown.message(`where is @${noor.username}?`)).toHaveCount(1);
  await expect(shown.timeline.locator('.mention')).toHaveCount(0);
  await api.join(noor, room);
  await expect(shown.timeline.locator('.mention')).toHaveText(`@${noor.username}`);
});

test('a call to everyone in a large room is asked about, and goes when it is sent once more', async ({ api, server, newPerson }) => {
  const { lin, room, shown, field, list } = await desk(api, server.url, newPerson);
  const others = await Promise.all(Array.from({ length: 9 }, () => api.register('Noor')));
  await Promise.all(others.map((other) => api.join(other, room)));
  const hers = await new RoomPage(await newPerson(lin)).open(server.url, room);
  await field.pressSequentially('tea is ready, @al');
  await expect(list.getByRole('option')).toHaveText(['@all Everyone in this room']);
  await field.press('Enter');
  await field.press('Enter');
  await expect(shown.page.getByRole('alert')).toContainText('This calls all 10 others');
  await expect(shown.message('tea is ready, @all')).toHaveCount(0);
  await field.press('Enter');
  await expect(shown.message('tea is ready, @all')).toHaveCount(1);
  await expect(shown.page.getByRole('alert')).toHaveCount(0);
  await expect(hers.message('tea is ready, @all').locator('.mention.own')).toHaveText('@all');
});
