import { existsSync } from 'node:fs';
import { defineConfig } from '@playwright/test';

// None there: the browser that Playwright brought along.
const debians = ['/usr/bin/chromium-headless-shell', '/usr/bin/chromium'];
const browser = process.env.CHROMIUM || debians.find(existsSync);

// Each project starts the servers that it needs itself: see support/server.ts.
const withoutJavaScript = { javaScriptEnabled: false };
const phone = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };

// What the interface promises: everything at both sizes, and what needs no script without one too.
const promises = { testMatch: 'promises/*.spec.ts' };
const plainly = { ...promises, grep: /@plain/ };

export default defineConfig({
  testDir: './tests',
  outputDir: './test-results',
  // Each test has people, rooms and texts of its own, each worker its servers; two cores are all there may be.
  workers: 2,
  timeout: 60_000,
  expect: { timeout: 10_000 },
  forbidOnly: !!process.env.CI,
  // A browser on a busy machine may miss a moment once; end2end/test says how many did.
  retries: process.env.CI ? 1 : 0,
  reporter: [['list'], ['json', { outputFile: 'test-results/results.json' }]],
  use: {
    browserName: 'chromium',
    viewport: { width: 1280, height: 800 },
    locale: 'en-GB',
    timezoneId: 'UTC',
    // What a page keeps for itself would stand between a test and the server.
    serviceWorkers: 'block',
    screenshot: 'only-on-failure',
    // It takes a third of a test's time: where there is a second try, that one is traced.
    trace: process.env.CI ? 'on-first-retry' : 'retain-on-failure',
    launchOptions: {
      executablePath: browser,
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    },
  },
  projects: [
    { name: 'with JavaScript', testMatch: ['both/*.spec.ts', 'browser/*.spec.ts'] },
    { name: 'without JavaScript', testMatch: 'both/*.spec.ts', use: withoutJavaScript },
    { name: 'cluster', testMatch: 'cluster/*.spec.ts' },
    { name: 'promises, desktop', ...promises },
    { name: 'promises, phone', ...promises, use: phone },
    { name: 'promises, desktop without JavaScript', ...plainly, use: withoutJavaScript },
    { name: 'promises, phone without JavaScript', ...plainly, use: { ...phone, ...withoutJavaScript } },
    // Figures, not tests: `make measure`.
    ...(process.env.MEASURE ? [{ name: 'measure', testMatch: 'measure/*.spec.ts', timeout: 900_000, use: { trace: 'off' as const } }] : []),
  ],
});
