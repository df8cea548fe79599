// Becoming somebody, with and without JavaScript.
import { unique } from '../../support/api.ts';
import { expect, test } from '../../support/fixtures.ts';
import { register, signIn, signOutButton } from '../../support/pages.ts';

test('a person registers, signs out and signs in again', async ({ server, page }) => {
  const lin = { username: unique('lin'), displayName: 'Lin', password: 'correct horse battery' };
  await register(page, server.url, lin);
  await expect(signOutButton(page)).toBeVisible();
  await signOutButton(page).click();
  await expect(signOutButton(page)).toHaveCount(0);

  await signIn(page, server.url, lin.username, lin.password);
  await expect(signOutButton(page)).toBeVisible();
});

test('a wrong password is told in words, and the name need not be typed again', async ({ api, server, page }) => {
  const ada = await api.register('Ada');
  await signIn(page, server.url, ada.username, 'not the password');
  await expect(page.getByRole('alert')).toContainText('do not fit');
  await expect(page.getByLabel('User name')).toHaveValue(ada.username);
  await expect(signOutButton(page)).toHaveCount(0);
});

test('a name that is taken is told in words', async ({ api, server, page }) => {
  const ada = await api.register('Ada');
  await register(page, server.url, { ...ada, displayName: 'Somebody else' });
  await expect(page.getByRole('alert')).toContainText('taken');
});

test('a short password is told in words', async ({ server, page }) => {
  await register(page, server.url, { username: unique('lin'), displayName: 'Lin', password: 'short' });
  // The browser may hold the form back itself; then it says so in its own way and the page stays.
  await expect(page).toHaveURL(/register/);
  await expect(signOutButton(page)).toHaveCount(0);
});
