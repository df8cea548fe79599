// Finding what was said.
import { unique } from '../../support/api.ts';
import { complaints, expect, plain, test } from '../../support/world.ts';

test.use(complaints());

test('full text with jump to the message', plain, async ({ world }) => {
  const { ada, room } = world;
  const word = unique('lighthouse').replace('-', '');
  const secret = await world.api.room(ada, unique('attic'), 'private');
  await world.said(ada, secret, `${word}, but not for Lin`);
  const [id] = await world.said(ada, room, `At the ${word}, at noon.`);
  await world.said(ada, room, ...Array.from({ length: 60 }, (_, n) => `line ${n}.`));
  const his = await world.lins('/');
  const { page } = his;
  await page.getByRole('searchbox', { name: 'Search all rooms' }).fill(`NOON ${word.slice(0, 14).toUpperCase()}`);
  await page.keyboard.press('Enter');
  const hit = page.getByRole('article');
  await expect(hit).toHaveCount(1);
  await expect(hit.locator('mark')).toHaveText([word, 'noon']);
  await hit.getByRole('link', { name: word }).click();
  await expect(page).toHaveURL(`${world.urls[1]}/rooms/${room.slug}/m/${id}`);
  await expect(page.locator('.highlight .body')).toHaveText(`At the ${word}, at noon.`);
  await expect(page.locator('.highlight')).toBeInViewport();
});
