// The pages as people find their way in them: by roles and names.
import type { Locator, Page } from '@playwright/test';
import type { Account, Room } from './api.ts';

/** A room's page. */
export class RoomPage {
  readonly timeline: Locator;
  readonly composer: Locator;
  readonly send: Locator;

  constructor(readonly page: Page) {
    this.timeline = page.getByRole('log');
    this.composer = page.getByRole('textbox', { name: /message/i });
    this.send = page.getByRole('button', { name: /^send/i });
  }

  async open(url: string, room: Pick<Room, 'slug'>): Promise<this> {
    await this.page.goto(`${url}/rooms/${room.slug}`);
    return this;
  }

  /** The places where exactly this text stands. */
  message(text: string | RegExp): Locator {
    return this.timeline.getByText(text, { exact: true });
  }

  /** The texts that match, in the order of the page. */
  texts(matching: RegExp): Promise<string[]> {
    return this.timeline.getByText(matching).allTextContents();
  }

  async say(text: string): Promise<void> {
    await this.composer.fill(text);
    await this.send.click();
  }

  async join(): Promise<void> {
    await this.page.getByRole('button', { name: /^join/i }).first().click();
    await this.composer.waitFor();
  }

  async enterAsGuest(): Promise<void> {
    await this.page.getByRole('button', { name: /guest/i }).first().click();
    await this.composer.waitFor();
  }
}

export async function register(page: Page, url: string, account: Pick<Account, 'username' | 'displayName' | 'password'>) {
  await page.goto(`${url}/register`);
  await page.getByLabel(/user ?name/i).fill(account.username);
  await page.getByLabel(/display name|call you|name for others/i).fill(account.displayName);
  await page.getByLabel(/^password/i).fill(account.password);
  await page.getByRole('main').getByRole('button', { name: /register|create|sign up/i }).click();
}

export async function signIn(page: Page, url: string, username: string, password: string) {
  await page.goto(`${url}/login`);
  await page.getByLabel(/user ?name/i).fill(username);
  await page.getByLabel(/^password/i).fill(password);
  await page.getByRole('main').getByRole('button', { name: /sign in/i }).click();
}

export const signOutButton = (page: Page): Locator => page.getByRole('button', { name: /sign out/i });
