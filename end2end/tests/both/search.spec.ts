// Finding what was said, with and without JavaScript.
import { type Account, type Api, type Room, unique } from '../../support/api.ts';
import { expect, test } from '../../support/fixtures.ts';

const word = () => unique('lighthouse').replace('-', '');

async function said(api: Api, who: Account, room: Room, ...texts: string[]): Promise<string> {
  let last = { id: '', at: '' };
  for (const text of texts) last = await api.post(who, room, text);
  await api.history(room, who, last.at);
  return last.id;
}

test('what was said is found from any page, marked, and leads to its place', async ({ api, server, newPerson }) => {
  const ada = await api.register('Ada');
  const [room, found] = [await api.room(ada), word()];
  const id = await said(api, ada, room, 'Where shall we meet?', `At the ${found}, at noon.`);
  const page = await newPerson(ada);
  await page.goto(server.url);
  const field = page.getByRole('searchbox', { name: 'Search all rooms' });
  await field.fill(found.slice(0, 14).toUpperCase());
  await field.press('Enter');

  await expect(page).toHaveURL(/\/search\?q=LIGHTHOUSE/);
  const hit = page.getByRole('article');
  await expect(hit).toHaveCount(1);
  await expect(hit).toContainText(`At the ${found}, at noon.`);
  await expect(hit.locator('mark')).toHaveText(found);
  await expect(hit).toContainText('Ada');
  await expect(hit.getByRole('link', { name: `#${room.name}` })).toHaveAttribute('href', `/rooms/${room.slug}`);
  await expect(page.getByRole('searchbox', { name: 'Search messages' })).toHaveValue(/^LIGHTHOUSE/);
  await hit.getByRole('link', { name: found }).click();
  await expect(page).toHaveURL(`${server.url}/rooms/${room.slug}/m/${id}`);
  await expect(page.locator('.highlight')).toContainText(found);
});

test('a search in a room stays there until one looks everywhere', async ({ api, server, newPerson }) => {
  const ada = await api.register('Ada');
  const [here, there, found] = [await api.room(ada), await api.room(ada), word()];
  await said(api, ada, here, `${found} here`);
  await said(api, ada, there, `${found} there`);
  const page = await newPerson(ada);
  await page.goto(`${server.url}/rooms/${here.slug}`);
  await page.getByRole('link', { name: 'Search in this room' }).click();
  await expect(page.getByRole('checkbox', { name: `Only in #${here.slug}` })).toBeChecked();
  await page.getByRole('searchbox', { name: 'Search messages' }).fill(found);
  await page.getByRole('button', { name: 'Search', exact: true }).click();
  await expect(page.getByRole('article')).toHaveText([new RegExp(`${found} here`)]);

  await page.getByRole('checkbox', { name: `Only in #${here.slug}` }).uncheck();
  await page.getByRole('button', { name: 'Search', exact: true }).click();
  await expect(page.getByRole('article')).toHaveText([new RegExp(`${found} there`), new RegExp(`${found} here`)]);
});

test('older messages are one link away, and the end is said', async ({ api, server, newPerson }) => {
  const ada = await api.register('Ada');
  const [room, found] = [await api.room(ada), word()];
  await said(api, ada, room, ...Array.from({ length: 25 }, (_, n) => `${found} number ${n + 1}.`));
  const page = await newPerson(ada);
  await page.goto(`${server.url}/search?q=${found}`);
  const hits = page.getByRole('article');
  await expect(hits).toHaveCount(20);
  await expect(hits.first()).toContainText('number 25.');
  await page.getByRole('link', { name: 'Older messages' }).click();
  await expect(hits).toHaveCount(5);
  await expect(hits.last()).toContainText('number 1.');
  await expect(page.getByRole('link', { name: 'Older messages' })).toHaveCount(0);
  await page.goBack();
  await expect(hits).toHaveCount(20);
});

test('what is not there, or not for one, is not found', async ({ api, server, newPerson }) => {
  const [ada, lin] = [await api.register('Ada'), await api.register('Lin')];
  const [secret, found] = [await api.room(ada, unique('Secret'), 'private'), word()];
  await said(api, ada, secret, found);
  for (const page of [await newPerson(lin), await newPerson()]) {
    await page.goto(`${server.url}/search?q=${found}`);
    await expect(page.getByRole('main')).toContainText('Nothing was found.');
    await expect(page.getByRole('article')).toHaveCount(0);
  }
});

test.describe(() => {
  // Pages that answer with a problem are answered as such, and browsers say so.
  test.use({ expectedComplaints: [/status of 4(04|22)/] as never });

  test('a search that cannot be is explained, and one for a room that is not there', async ({ api, server, newPerson }) => {
    const [ada, lin] = [await api.register('Ada'), await api.register('Lin')];
    const secret = await api.room(ada, unique('Secret'), 'private');
    const page = await newPerson(lin);
    for (const room of [secret.slug, 'never-made']) {
      await page.goto(`${server.url}/search?q=tea&room=${room}`);
      await expect(page.getByRole('alert')).toHaveText('There is no such room here, or it is not for you.');
    }
    await page.goto(`${server.url}/search?q=${encodeURIComponent('tea before:soon')}`);
    await expect(page.getByRole('alert')).toContainText('Give before: a day like 2026-11-23');
    await expect(page.getByRole('searchbox', { name: 'Search messages' })).toHaveValue('tea before:soon');
  });
});

test('what looks like markup is text', async ({ api, server, newPerson }) => {
  const ada = await api.register('Ada');
  const [room, found] = [await api.room(ada), word()];
  const text = `<img src=x onerror="document.title=1"> ${found} </script><mark>no</mark>`;
  await said(api, ada, room, text);
  const page = await newPerson(ada);
  await page.goto(`${server.url}/search?q=${encodeURIComponent(`${found} "script`)}`);
  await expect(page.getByRole('article')).toContainText(text);
  await expect(page.locator('mark')).toHaveText([found, 'script']);
});
