// Ctrl+K: to another room without the mouse.
import { unique } from '../../support/api.ts';
import { expect, mark, test } from '../../support/fixtures.ts';
import { RoomPage } from '../../support/pages.ts';

test('a few letters and Enter lead to a room', async ({ api, server, newPerson }) => {
  const ada = await api.register('Ada');
  const [tea, coffee] = [await api.room(ada, unique('tea')), await api.room(ada, unique('coffee'))];
  const page = await newPerson(ada);
  const room = await new RoomPage(page).open(server.url, tea);
  await expect(page.getByRole('button', { name: 'Jump to a room' })).toBeVisible();
  const marked = await mark(page);
  await room.composer.focus();
  await page.keyboard.press('Control+k');
  const dialog = page.getByRole('dialog', { name: 'Jump to a room' });
  const input = dialog.getByRole('combobox', { name: 'Room' });
  await expect(input).toBeFocused();
  // So many that no other test's room has them, in this order, by chance.
  await page.keyboard.type(coffee.name.slice(0, 12));
  await expect(dialog.getByRole('option')).toHaveCount(1);
  await page.screenshot({ path: 'test-results/screens/switcher.png' });
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(new RegExp(`/rooms/${coffee.slug}$`));
  await expect(page.getByRole('heading', { name: coffee.name })).toBeVisible();
  await expect(dialog).toHaveCount(0);
  expect(await marked(), 'the page was not loaded anew').toBe(true);

  // The mouse, the arrows, and a way out.
  await page.getByRole('button', { name: 'Jump to a room' }).click();
  await expect(input).toBeFocused();
  await page.keyboard.type('no such room');
  await expect(dialog).toContainText('No room has such a name.');
  await input.fill(tea.name.slice(-6));
  await dialog.getByRole('option', { name: tea.name }).click();
  await expect(page).toHaveURL(new RegExp(`/rooms/${tea.slug}$`));
  await page.keyboard.press('Control+k');
  await page.keyboard.press('ArrowDown');
  await expect(dialog.getByRole('option').nth(1)).toHaveAttribute('aria-selected', 'true');
  await page.keyboard.press('Escape');
  await expect(dialog).toHaveCount(0);
});
