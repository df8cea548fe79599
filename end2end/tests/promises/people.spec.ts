// Who is there.
import { live } from '../../support/pages.ts';
import { complaints, expect, plain, test } from '../../support/world.ts';

test.use(complaints());

test('presence', async ({ world }) => {
  const hers = await world.adas();
  const lin = (await world.members(hers.page)).getByRole('listitem').filter({ hasText: 'Lin' });
  await expect(lin).not.toContainText('here now');
  // On two devices, at two other nodes: here until the last is gone.
  const [his, other] = [await world.lins(), await world.linsOther()];
  await expect(lin).toContainText('here now');
  await expect(lin.locator('.avatar')).toBeVisible();
  await live(world.api, world.ada, world.room, his, other);
  await his.page.close();
  await world.said(world.ada, world.room, 'still?');
  await expect(lin).toContainText('here now');
  await other.page.close();
  await expect(lin).not.toContainText('here now', { timeout: 15_000 });
});

test('typing', async ({ world }) => {
  const [hers, his] = [await world.adas(), await world.lins()];
  await live(world.api, world.ada, world.room, hers, his);
  await his.composer.pressSequentially('hm');
  await expect(hers.page.getByText('Lin is typing…')).toBeVisible();
  await expect(his.page.getByText('is typing…')).toHaveCount(0);
  await his.composer.press('Enter');
  await expect(hers.message('hm')).toHaveCount(1);
  await expect(hers.page.getByText('Lin is typing…')).toHaveCount(0, { timeout: 2_000 });
});

test('profile with generated avatar', plain, async ({ world }) => {
  const { lin, room } = world;
  await world.said(lin, room, 'it is me');
  const his = await world.lins('/me');
  await his.page.getByLabel('Display name').fill('Zoë Linden');
  await his.page.getByRole('button', { name: 'Save name' }).click();
  await expect(his.page.getByRole('status')).toHaveText('Your new name is saved.');
  const hue = async (avatar: import('@playwright/test').Locator) => {
    await expect(avatar).toHaveText('Z');
    return avatar.evaluate((element) => getComputedStyle(element).backgroundColor);
  };
  // The same to everybody, wherever one is shown; and one's own colour.
  const hers = await world.adas();
  const article = hers.page.getByRole('article').filter({ hasText: 'it is me' });
  await expect(article.locator('.author')).toHaveText('Zoë Linden');
  const colour = await hue(article.locator('.avatar'));
  const member = (await world.members(hers.page)).getByRole('listitem').filter({ hasText: 'Zoë Linden' });
  await expect(member).toContainText(`@${lin.username}`);
  expect(await hue(member.locator('.avatar'))).toBe(colour);
  expect(colour).not.toBe('rgba(0, 0, 0, 0)');
});
