// Light and dark.
import { expect, test } from '../../support/fixtures.ts';

test('the choice of light or dark pages shows, and stays', async ({ server, page }) => {
  await page.goto(`${server.url}/rooms/welcome`);
  const pressed = page.getByRole('form', { name: 'Light or dark pages' }).getByRole('button', { pressed: true });
  await expect(pressed).toHaveText('System');
  await page.getByRole('button', { name: 'Dark' }).click();
  await expect(pressed).toHaveText('Dark');
  await expect(page).toHaveURL(/\/rooms\/welcome$/);
  await expect(page.locator('html')).toHaveCSS('color-scheme', 'dark');
  await page.reload();
  await expect(pressed).toHaveText('Dark');
  await page.getByRole('button', { name: 'System' }).click();
  await expect(pressed).toHaveText('System');
});
