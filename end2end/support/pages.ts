// The pages as people find their way in them: by roles and names.
import { expect, type Locator, type Page } from '@playwright/test';
import type { Account, Api, Room } from './api.ts';

/** A room's page. */
export class RoomPage {
  readonly timeline: Locator;
  readonly composer: Locator;
  readonly send: Locator;

  constructor(readonly page: Page) {
    this.timeline = page.getByRole('log', { name: 'Messages' });
    this.composer = page.getByRole('textbox', { name: /^Message [#@]/ });
    this.send = page.getByRole('button', { name: 'Send', exact: true });
  }

  async open(url: string, room: Pick<Room, 'slug'>): Promise<this> {
    await this.page.goto(`${url}/rooms/${room.slug}`);
    return this;
  }

  /** The messages with exactly this text; a form to edit one holds it too, and does not count. */
  message(text: string): Locator {
    return this.bodies(exactly(text));
  }

  /** The whole of such a message: who, when, what became of it, and what can be done to it. */
  row(text: string): Locator {
    return this.page.locator('.row').filter({ has: this.page.locator('.body').filter({ hasText: exactly(text) }) });
  }

  /** The texts that match, in the order of the page. */
  async texts(matching: RegExp): Promise<string[]> {
    return (await this.bodies(matching).allTextContents()).map((text) => text.trim());
  }

  private bodies(matching: RegExp): Locator {
    return this.timeline.getByRole('article').locator('.body').filter({ hasText: matching });
  }

  async say(text: string): Promise<void> {
    await this.composer.fill(text);
    await this.send.click();
  }

  /** In the message's menu, which is open. */
  async delete(text: string): Promise<void> {
    const row = this.row(text);
    await row.getByText('Delete…').click();
    await row.getByRole('button', { name: 'Delete for everyone' }).click();
  }

  async join(): Promise<void> {
    await this.page.getByRole('button', { name: /^Join #/ }).click();
    await this.composer.waitFor();
  }

  async enterAsGuest(): Promise<void> {
    await this.page.getByRole('button', { name: 'Join as a guest' }).click();
    await this.composer.waitFor();
  }
}

function exactly(text: string): RegExp {
  const literal = text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`^\\s*${literal}\\s*(\\(edited\\)\\s*)?$`);
}

/** Until scripts run and sockets stand on all these pages: something posted only now shows on each. */
export async function live(api: Api, member: Account, room: Room, ...pages: RoomPage[]): Promise<void> {
  await api.post(member, room, 'ready');
  for (const shown of pages) await expect(shown.message('ready')).toHaveCount(1);
}

export async function register(page: Page, url: string, account: Pick<Account, 'username' | 'displayName' | 'password'>) {
  await page.goto(`${url}/register`);
  await page.getByLabel('User name').fill(account.username);
  await page.getByLabel('Display name').fill(account.displayName);
  await page.getByLabel('Password').fill(account.password);
  await page.getByRole('main').getByRole('button', { name: 'Register' }).click();
}

export async function signIn(page: Page, url: string, username: string, password: string) {
  await page.goto(`${url}/login`);
  await page.getByLabel('User name').fill(username);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('main').getByRole('button', { name: 'Sign in' }).click();
}

export const signOutButton = (page: Page): Locator => page.getByRole('button', { name: 'Sign out' }).first();
