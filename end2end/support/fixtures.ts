// What every test gets: a server, its API, and pages that are watched for what browsers complain about.
import { test as base, type Browser, type BrowserContext, type Page } from '@playwright/test';
import { type Account, Api } from './api.ts';
import { Proxy } from './proxy.ts';
import { type Cluster, freePort, newCluster, Server } from './server.ts';

interface ForTest {
  /** A browser of somebody's own; `as` is signed in there. */
  newPerson: (as?: Account) => Promise<Page>;
  /** What browsers may complain about in this test. */
  expectedComplaints: RegExp[];
}

interface ForWorker {
  /** One embedded server for the tests of a file. */
  server: Server;
  api: Api;
  cluster: Cluster;
  /** Three nodes on real services. */
  nodes: [Server, Server, Server];
  /** Another way to the second of them, that can be cut. */
  way: Proxy;
}

export const test = base.extend<ForTest, ForWorker>({
  server: [
    async ({}, use) => {
      const server = await Server.embedded();
      await use(server);
      await server.stop();
    },
    { scope: 'worker', timeout: 60_000 },
  ],

  api: [async ({ server }, use) => use(new Api(server.url)), { scope: 'worker' }],

  cluster: [
    async ({}, use) => {
      const cluster = await newCluster();
      await use(cluster);
      await cluster.dispose();
    },
    { scope: 'worker', timeout: 60_000 },
  ],

  way: [
    async ({}, use) => {
      const way = await Proxy.to('127.0.0.1', await freePort());
      await use(way);
      await way.close();
    },
    { scope: 'worker' },
  ],

  nodes: [
    async ({ cluster, way }, use) => {
      // The first makes topic and tables; the others find them.
      const first = await Server.node('node-1', cluster.settings);
      const both = [way.farPort, way.port].map((port) => `http://127.0.0.1:${port}`);
      const [second, third] = await Promise.all([
        Server.node('node-2', { ...cluster.settings, PARTYLINE_PUBLIC_URL: both.join() }, way.farPort),
        Server.node('node-3', cluster.settings),
      ]);
      await use([first, second, third]);
      await Promise.all([first, second, third].map((node) => node.stop()));
    },
    { scope: 'worker', timeout: 120_000 },
  ],

  expectedComplaints: [[], { option: true }],

  newPerson: async ({ browser, contextOptions, viewport, isMobile, hasTouch, javaScriptEnabled, serviceWorkers, expectedComplaints }, use) => {
    const contexts: BrowserContext[] = [];
    const complaints: string[] = [];
    await use(async (as) => {
      const context = await newContext(browser, { ...contextOptions, viewport, isMobile, hasTouch, javaScriptEnabled, serviceWorkers });
      contexts.push(context);
      if (as) await context.addCookies([cookieOf(as)]);
      const page = await context.newPage();
      watch(page, complaints);
      return page;
    });
    await Promise.all(contexts.map((context) => context.close()));
    const unexpected = complaints.filter((text) => !expectedComplaints.some((expected) => expected.test(text)));
    base.expect(unexpected, 'the browser complained').toEqual([]);
  },

  // The page that tests get without asking is watched as well.
  page: async ({ newPerson }, use) => use(await newPerson()),
});

export const expect = test.expect;

function newContext(browser: Browser, options: Parameters<Browser['newContext']>[0]): Promise<BrowserContext> {
  return browser.newContext({ locale: 'en-GB', timezoneId: 'UTC', ...options });
}

/** Cookies know no ports: the same session is good on every node. */
function cookieOf(account: Account) {
  const [name = '', ...value] = account.cookie.split('=');
  return { name, value: value.join('='), domain: '127.0.0.1', path: '/' };
}

function watch(page: Page, complaints: string[]): void {
  page.on('console', (message) => {
    // Playwright's own, where it blocks them.
    if (message.text().startsWith('Service Worker registration blocked')) return;
    if (['error', 'warning'].includes(message.type())) complaints.push(`${message.type()}: ${message.text()}`);
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
}

/** Tells later whether the page was loaded anew in between. */
export async function mark(page: Page): Promise<() => Promise<boolean>> {
  await page.evaluate(() => Object.assign(window, { marked: true }));
  return () => page.evaluate(() => 'marked' in window);
}
