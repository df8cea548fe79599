// Reads rooms without a network: the pages of the last ones, and the site's files.
//
// The network always comes first, and what it says stands. A page is kept for whoever it was made for: the server names
// them in a header, by a value that says nothing more, and a page for anybody else, a visitor's too, throws all away.
const FILES = 'files';
const PAGES = 'pages-';
const MOST_PAGES = 20;
const VIEWER = 'partyline-viewer';

addEventListener('install', () => skipWaiting());
addEventListener('activate', (event) => event.waitUntil(clients.claim()));

addEventListener('fetch', (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== 'GET' || origin !== location.origin) return;
  if (request.mode === 'navigate') {
    event.respondWith(page(event, isPage(pathname)));
  } else if (isFile(pathname)) {
    event.respondWith(file(event));
  }
});

addEventListener('message', (event) => event.waitUntil(Promise.all(event.data.map(keepSeen))));

const isPage = (pathname) => /^\/(rooms\/[^/]+)?$/.test(pathname);
const isFile = (pathname) => /^\/pkg\/|^\/[^/]+\.(svg|png|js|webmanifest)$/.test(pathname);

async function page(event, keeps) {
  let answer;
  try {
    answer = await fetch(event.request);
  } catch (away) {
    return (await kept(event.request)) ?? nothing();
  }
  const viewer = answer.headers.get(VIEWER);
  // Without the header it is no page of ours, and says nothing about who asks.
  if (viewer !== null) {
    const copy = keeps && answer.ok && viewer !== '' ? answer.clone() : undefined;
    event.waitUntil(keep(event.request, viewer, copy));
  }
  return answer;
}

async function keep(request, viewer, copy) {
  const own = PAGES + viewer;
  for (const name of await caches.keys()) {
    if (name.startsWith(PAGES) && name !== own) await caches.delete(name);
  }
  if (!copy) return;
  const pages = await caches.open(own);
  const url = new URL(request.url);
  // However the room was opened, it is the same room.
  url.search = '';
  await pages.delete(url.href);
  await pages.put(url.href, copy);
  const keys = await pages.keys();
  await Promise.all(keys.slice(0, Math.max(0, keys.length - MOST_PAGES)).map((old) => pages.delete(old)));
}

async function kept(request) {
  for (const name of await caches.keys()) {
    if (!name.startsWith(PAGES)) continue;
    const page = await (await caches.open(name)).match(request, { ignoreSearch: true });
    if (page) return page;
  }
}

async function file(event) {
  const files = await caches.open(FILES);
  try {
    const answer = await fetch(event.request);
    if (answer.ok) event.waitUntil(keepFile(files, event.request, answer.clone()));
    return answer;
  } catch (away) {
    return (await files.match(event.request.url, { ignoreVary: true })) ?? Response.error();
  }
}

/** A file that a page has loaded, maybe past this worker; or a page that was opened from another one. */
async function keepSeen(address) {
  const url = new URL(address);
  const { origin, pathname, href } = url;
  if (origin !== location.origin) return;
  if (isPage(pathname)) return keepOpened(url);
  if (!isFile(pathname)) return;
  const files = await caches.open(FILES);
  if (await files.match(href, { ignoreVary: true })) return;
  const answer = await fetch(href).catch(() => undefined);
  if (answer?.ok) await keepFile(files, { url: href }, answer);
}

/** As it is when it is opened anew; not again within a minute. */
async function keepOpened(url) {
  url.search = '';
  const before = await kept(url.href);
  if (before && Date.now() - Date.parse(before.headers.get('date')) < 60_000) return;
  const answer = await fetch(url.href, { headers: { accept: 'text/html' } }).catch(() => undefined);
  const viewer = answer?.headers.get(VIEWER);
  if (viewer && answer.ok) await keep({ url: url.href }, viewer, answer);
}

/** A new version of the site does not fit pages, nor chunks, of the one before. */
async function keepFile(files, request, answer) {
  const before = await files.match(request.url, { ignoreVary: true });
  const stamp = (response) => response.headers.get('last-modified') ?? response.headers.get('etag');
  if (before && stamp(before) === stamp(answer)) return;
  // All of it first: a download that breaks off must not take the place of what is there.
  const copy = new Response(await answer.arrayBuffer(), { headers: answer.headers });
  if (before) {
    const names = await caches.keys();
    await Promise.all(names.filter((name) => name.startsWith(PAGES)).map((name) => caches.delete(name)));
    for (const old of await files.keys()) await files.delete(old);
  }
  await files.put(request.url, copy);
}

function nothing() {
  const text = `<!DOCTYPE html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>No connection · Partyline</title><link rel="stylesheet" href="/pkg/partyline.css">
<body><main class="entry"><h1>No connection</h1>
<p>This page was not open before, so it cannot be shown without a network. Nothing is lost.</p>
<div class="actions"><a class="button primary" href="">Try again</a><a class="button" href="/">Your rooms</a></div></main>`;
  return new Response(text, { status: 503, headers: { 'content-type': 'text/html; charset=utf-8' } });
}
