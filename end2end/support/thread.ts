// A thread, and how people find their way in it.
import type { Page } from '@playwright/test';
import type { Account, Api, Room } from './api.ts';

/** A question of Ada's in a room with Lin, and Lin's answer. */
export async function question(api: Api): Promise<{ ada: Account; lin: Account; room: Room; id: string }> {
  const [ada, lin] = [await api.register('Ada'), await api.register('Lin')];
  const room = await api.room(ada);
  await api.join(lin, room);
  const { id } = await api.post(ada, room, 'Who brings the map?');
  await api.post(ada, room, 'Something else');
  const { at } = await api.reply(lin, room, id, 'I do');
  await api.history(room, ada, at);
  return { ada, lin, room, id };
}

export const thread = (page: Page) => page.getByRole('complementary', { name: 'Thread' });
export const said = (page: Page, text: string) => thread(page).locator('.body').filter({ hasText: new RegExp(`^\\s*${text}\\s*$`) });
export const field = (page: Page) => thread(page).getByRole('textbox', { name: 'Reply in thread' });
export const rowOf = (page: Page, text: string) =>
  page.getByRole('log', { name: 'Messages' }).getByRole('article').filter({ has: page.locator('.body', { hasText: text }) });
