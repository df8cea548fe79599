// What can be done to a message, on the screen.
import type { Page } from '@playwright/test';
import type { Account, Api } from '../../support/api.ts';
import { expect, test } from '../../support/fixtures.ts';
import { live, RoomPage } from '../../support/pages.ts';
import type { Server } from '../../support/server.ts';

test("a message stays where it is when its menu opens, and the newest message's menu is seen", async ({ api, server, newPerson }) => {
  const ada = await api.register('Ada');
  const room = await api.room(ada);
  for (let n = 0; n < 30; n++) await api.post(ada, room, `line ${n}`);
  const shown = await new RoomPage(await newPerson(ada)).open(server.url, room);
  await live(api, ada, room, shown);
  const row = (text: string) => shown.page.getByRole('article').filter({ has: shown.page.locator('.body', { hasText: text }) });
  const top = async (text: string) => (await row(text).boundingBox())?.y ?? NaN;

  const before = await top('line 20');
  await row('line 20').hover();
  await row('line 20').locator('.menu > summary').click();
  await row('line 20').getByText('Edit', { exact: true }).click();
  await expect(row('line 20').getByRole('textbox', { name: 'New text' })).toBeVisible();
  await expect.poll(async () => Math.abs((await top('line 20')) - before)).toBeLessThan(2);

  await row('ready').scrollIntoViewIfNeeded();
  await row('ready').hover();
  await row('ready').locator('.menu > summary').click();
  await expect(row('ready').getByRole('link', { name: 'Link' })).toBeInViewport({ ratio: 1 });
});

test.describe('changes', () => {
  // Of what is refused browsers say so.
  test.use({ expectedComplaints: [/status of 503/] as never });

  /** What the page asks of this kind waits until the answer is given: the server's, or a refusal. */
  async function holding(page: Page, kind: string) {
    let answer: (accepted: boolean) => void = () => {};
    const given = new Promise<boolean>((give) => (answer = give));
    await page.route(`**/api/fn/${kind}`, async (route) => {
      if (await given) return route.continue();
      await route.fulfill({ status: 503, contentType: 'application/problem+json', body: '{"type":"unavailable","title":"Not now","status":503}' });
    });
    return answer;
  }

  /** A room where Ada has said something, as she sees it. */
  async function opened(api: Api, server: Server, newPerson: (as: Account) => Promise<Page>) {
    const ada = await api.register('Ada');
    const room = await api.room(ada);
    await api.post(ada, room, 'as it was');
    const shown = await new RoomPage(await newPerson(ada)).open(server.url, room);
    await live(api, ada, room, shown);
    return { ada, room, shown, page: shown.page };
  }

  test('an edit and a deletion are seen before the server has answered', async ({ api, server, newPerson }) => {
    const { ada, room, shown, page } = await opened(api, server, newPerson);
    const [edit, remove] = [await holding(page, 'edit'), await holding(page, 'delete')];
    await shown.row('as it was').getByLabel('Actions for the message of Ada').click();
    await shown.row('as it was').getByText('Edit', { exact: true }).click();
    await shown.row('as it was').getByRole('textbox', { name: 'New text' }).fill('as it is');
    await page.keyboard.press('Enter');
    await expect(shown.message('as it is')).toHaveCount(1);
    await expect(shown.composer).toBeFocused();
    edit(true);
    await expect.poll(async () => (await api.history(room, ada)).map(({ body }) => body)).toContain('as it is');
    await shown.row('as it is').getByLabel('Actions for the message of Ada').click();
    await shown.delete('as it is');
    await expect(shown.message('as it is')).toHaveCount(0);
    await expect(page.getByText('This message was deleted.')).toBeVisible();
    remove(true);
    await expect.poll(async () => (await api.history(room, ada)).map(({ body }) => body)).not.toContain('as it is');
  });

  test('what is refused is as it was, and the text of a refused edit is not lost', async ({ api, server, newPerson }) => {
    const { shown, page } = await opened(api, server, newPerson);
    for (const kind of ['delete', 'edit']) {
      const answer = await holding(page, kind);
      await shown.row('as it was').getByLabel('Actions for the message of Ada').click();
      if (kind === 'edit') {
        await shown.row('as it was').getByText('Edit', { exact: true }).click();
        await shown.row('as it was').getByRole('textbox', { name: 'New text' }).fill('much better');
        await page.keyboard.press('Enter');
      } else {
        await shown.delete('as it was');
      }
      await expect(shown.message('as it was')).toHaveCount(0);
      answer(false);
      await expect(shown.message('as it was')).toHaveCount(1);
      await expect(page.getByRole('alert')).toBeVisible();
    }
    await expect(shown.row('as it was').getByRole('textbox', { name: 'New text' })).toHaveValue('much better');
    await expect(shown.row('as it was').getByRole('textbox', { name: 'New text' })).toBeFocused();
  });
});
