// Keys that lead to the search.
import { expect, test } from '../../support/fixtures.ts';

test('the keyboard puts the cursor into the search', async ({ api, server, newPerson }) => {
  const ada = await api.register('Ada');
  const room = await api.room(ada);
  const page = await newPerson(ada);
  await page.goto(`${server.url}/rooms/${room.slug}`);
  const composer = page.getByRole('textbox', { name: /^Message #/ });
  await expect(composer).toBeFocused();
  await page.keyboard.type('one/two');
  await expect(composer).toHaveValue('one/two');
  await page.keyboard.press('Control+Shift+F');
  await expect(page.getByRole('searchbox', { name: 'Search all rooms' })).toBeFocused();
  await page.goto(`${server.url}/search?q=x`);
  await page.getByRole('heading', { name: 'Your rooms' }).click();
  await expect(async () => {
    await page.keyboard.press('/');
    await expect(page.getByRole('searchbox', { name: 'Search messages' })).toBeFocused({ timeout: 500 });
  }).toPass();
  await expect(page.getByRole('searchbox', { name: 'Search messages' })).toHaveValue('x');
});
