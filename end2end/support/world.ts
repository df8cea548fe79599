// Two people on three nodes: Ada at the first, Lin with two devices at the second and the third.
import type { Locator, Page } from '@playwright/test';
import { type Account, Api, type Room, unique } from './api.ts';
import { expect, test as base } from './fixtures.ts';
import { RoomPage } from './pages.ts';
import type { Proxy } from './proxy.ts';
import type { Server } from './server.ts';

/** How a test without a script is marked: it runs with one too. */
export const plain = { tag: '@plain' };

type NewPerson = (as?: Account) => Promise<Page>;

export class World {
  ada!: Account;
  lin!: Account;
  /** Ada's, with Lin in it. */
  room!: Room;
  /** The first node's. */
  readonly api: Api;
  /** The nodes' addresses; Lin's first device comes to the second by the way that can be cut. */
  readonly urls: [string, string, string];

  constructor(
    readonly nodes: readonly Server[],
    readonly way: Proxy,
    private readonly newPerson: NewPerson,
    /** The pages are as narrow as a phone. */
    readonly narrow: boolean,
    /** The time that messages carry, changed in the database. */
    readonly date: (id: string, sentAt: number) => Promise<void>,
  ) {
    const [first, , third] = nodes.map((node) => node.url) as [string, string, string];
    this.urls = [first, `http://127.0.0.1:${way.port}`, third];
    this.api = new Api(first);
  }

  async begin(): Promise<this> {
    [this.ada, this.lin] = [await this.api.register('Ada'), await this.api.register('Lin')];
    this.room = await this.anotherRoom('harbour');
    return this;
  }

  /** Of Ada's too, with Lin in it. */
  async anotherRoom(word: string): Promise<Room> {
    const room = await this.api.room(this.ada, unique(word));
    await this.api.join(this.lin, room);
    // In the store too, from which pages read who is in a room.
    const members = async () => (await this.api.call('GET', `/rooms/${room.id}/members`, this.ada.token)).text();
    await expect.poll(members).toContain(this.lin.username);
    return room;
  }

  adas = async (path?: string) => this.at(0, this.ada, path);
  lins = async (path?: string) => this.at(1, this.lin, path);
  linsOther = async (path?: string) => this.at(2, this.lin, path);
  visitors = async (path?: string) => this.at(2, undefined, path);

  private async at(node: 0 | 1 | 2, who: Account | undefined, path = `/rooms/${this.room.slug}`): Promise<RoomPage> {
    const shown = new RoomPage(await this.newPerson(who));
    await shown.page.goto(this.urls[node] + path);
    return shown;
  }

  /** Posted one after the other, and in the store; gives the ids. */
  async said(who: Account, room: Room, ...texts: string[]): Promise<string[]> {
    const posted = [];
    for (const text of texts) posted.push(await this.api.post(who, room, text));
    // What at the last position is read from one node is read from the others: they share the store.
    await this.api.history(room, who, posted.at(-1)!.at);
    return posted.map(({ id }) => id);
  }

  /** The rooms as this page shows them: on a phone its front page is the list. */
  rooms(page: Page): Locator {
    return page.getByRole(this.narrow ? 'main' : 'navigation', this.narrow ? {} : { name: 'Rooms' });
  }

  link(page: Page, room: Room): Locator {
    return this.rooms(page).getByRole('link', { name: room.name });
  }

  badge(page: Page, room: Room): Locator {
    return this.link(page, room).locator('.badge');
  }

  /** The members beside the room, or in the sheet that a button opens. */
  async members(page: Page): Promise<Locator> {
    const list = page.locator('#members');
    // A page that is still on its way shows neither.
    await expect(async () => {
      if (!(await list.isVisible())) await page.getByRole('button', { name: /member/ }).click({ timeout: 1_000 });
      await expect(list).toBeVisible({ timeout: 1_000 });
    }).toPass();
    return list;
  }
}

interface ForTest {
  world: World;
}

interface ForWorker {
  /** An administrator, known to all nodes. */
  eve: Account;
}

export const test = base.extend<ForTest, ForWorker>({
  world: async ({ nodes, way, cluster, newPerson, viewport }, use) => {
    const date = (id: string, sentAt: number) => cluster.sql('update messages set sent_at = $2 where id = $1', [id, sentAt]);
    await use(await new World(nodes, way, newPerson, (viewport?.width ?? 0) < 600, date).begin());
    way.heal();
  },

  eve: [
    async ({ nodes }, use) => {
      const eve = await new Api(nodes[0].url).register('Eve');
      nodes[0].makeAdmin(eve.username);
      await use(eve);
    },
    { scope: 'worker' },
  ],
});

/** What browsers may complain of in a file: without scripts always of the program that was preloaded and is not used. */
export const complaints = (...expected: RegExp[]) => ({
  // One, not several: Playwright takes a second one for options.
  expectedComplaints: [new RegExp([/preloaded using link preload/, ...expected].map(({ source }) => source).join('|'))] as never,
});
/** Connections could not be made, or something was refused. */
export const CUT = /ERR_|WebSocket connection|WebAssembly compilation aborted|Failed to load resource|Failed to fetch/;

export { expect };
