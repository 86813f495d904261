import type { SessionStore } from '@mcp-session/core';
import { createMemoryStore } from '@mcp-session/core/memory';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { launchBrowser } from './support/browser.ts';
import { failing, type Line } from './support/failing.ts';
import { openPage } from './support/open-page.ts';
import { serve, type Served } from './support/server.ts';

const SESSIONS = 100_000;
const EVENTS = 10_000;
const HOSTILE = `</script><img src=x onerror="window.hacked=1"><b>\u202E\u0007 {{7*7}}`;
const hostileClient = { clientInfo: { name: HOSTILE, version: HOSTILE } };

let store: SessionStore;
let served: Served;
let browser: Browser;
let longId: string;
/** What the store's clock is ahead, in milliseconds. */
let ahead = 0;

beforeAll(async () => {
  store = await createMemoryStore({ sweep: false, clock: () => Date.now() + ahead, maxSessions: SESSIONS + 10 });
  // The first in the list: ids begin with their time, and none of these waits for a database.
  const long = await store.create({
    principal: 'ada',
    metadata: { note: HOSTILE },
    protocol: { initializeParams: hostileClient },
  });
  longId = long.id;
  await long.state.set(
    HOSTILE,
    JSON.parse(JSON.stringify({ [HOSTILE]: [HOSTILE] }).replace('{', '{"__proto__":{"polluted":true},')),
  );
  const appends = Array.from({ length: EVENTS }, (_, n) =>
    long.events.append(`s${n % 5}`, { jsonrpc: '2.0', method: `m/${n + 1}` }),
  );
  await Promise.all([...appends, new Promise((resolve) => setTimeout(resolve, 2))]);
  for (let n = 1; n < SESSIONS; n++) await store.create({ principal: n === 90_000 ? 'needle' : `user-${n}` });
  served = await serve({ store });
  browser = await launchBrowser();
}, 120_000);

afterAll(async () => {
  await browser?.close();
  await served?.close();
  await store?.close();
});

const open = (options: Parameters<Browser['newPage']>[0] = {}) => openPage(browser, served.url, options);
const scroll = (page: Page, share: number) =>
  page.evaluate(
    `{ const log = document.querySelector('.timeline .virtual'); log.scrollTop = log.scrollHeight * ${share}; }`,
  );
const row = (page: Page, index: number) => page.locator(`#session-${index}`);

describe('100,000 sessions', () => {
  it('are listed at once, as few elements, and read page by page', async () => {
    const page = await open();
    const sizes: number[] = [];
    page.on('response', (reply) => {
      if (reply.url().endsWith('/api/sessions')) void reply.body().then(({ length }) => sizes.push(length), String);
    });
    await row(page, 0).waitFor();
    await page.getByText('100,000 live').waitFor();
    expect(await page.locator('.row').count()).toBeLessThan(50);
    const list = page.getByRole('listbox', { name: 'Sessions' });
    await list.focus();
    await page.keyboard.press('End');
    await page.locator('#session-199.selected').waitFor();
    await expect.poll(() => sizes.length, { timeout: 20_000 }).toBeGreaterThan(1);
    expect(await page.locator('.row').count()).toBeLessThan(50);
    for (const size of sizes) expect(size).toBeLessThan(150_000);
  });

  it('one of them is found by its owner, and by the first part of its id', async () => {
    const page = await open();
    await page.keyboard.press('/');
    await page.keyboard.type('needle');
    await page.getByText('1 found').waitFor();
    await page.locator('.row', { hasText: 'needle' }).waitFor();
    await page.getByRole('searchbox').fill(longId);
    await page.locator('.row', { hasText: 'ada' }).waitFor();
    expect(await page.locator('.row').count()).toBe(1);
    await page.getByRole('searchbox').fill('no-such-thing');
    await page.getByText('No live session matches').waitFor();
  });
});

describe('one session', () => {
  it('shows its log from any place, with few elements, and what is appended at once', async () => {
    const page = await open();
    await row(page, 0).click();
    await page.locator('.live-live').waitFor();
    await page.locator(`#event-${EVENTS}`).waitFor();
    expect(await page.locator('.event').count()).toBeLessThan(80);

    const log = page.getByRole('listbox', { name: 'Events' });
    await log.focus();
    await scroll(page, 0.5);
    await page.locator(`#event-${EVENTS / 2}`).waitFor();
    await page.keyboard.press('Home');
    await page.locator('#event-1').waitFor();
    await page.keyboard.press('Home');
    await page.getByText('The server says so').waitFor();
    await page.getByText('Only this stream').click();
    await page.getByText('only s0').waitFor();
    await page.locator('#event-6').waitFor();
    expect(await page.locator('#event-2').count()).toBe(0);
    await page.getByLabel('All streams').click();
    await page.keyboard.press('Escape');
    await log.focus();
    await scroll(page, 1);
    await page.locator(`#event-${EVENTS}`).waitFor();

    const session = await store.inspect(longId);
    await session?.events.append('s1', { jsonrpc: '2.0', method: 'm/live' });
    await page.getByText('m/live').waitFor();
    await session?.state.set('fresh', 1);
    await page.keyboard.press('2');
    await page.getByText('fresh').waitFor();
  });

  it('shows what hostile servers stored as text, with nothing hidden', async () => {
    const page = await open();
    await row(page, 0).click();
    await page.keyboard.press('2');
    await page.locator('.entry').first().waitFor();
    const shown = await page.locator('.entry').first().innerText();
    expect(shown).toContain('</script><img src=x onerror="window.hacked=1"><b>\\u{202e}\\u{7} {{7*7}}');
    await page.keyboard.press('3');
    await page.getByText('"</script><img').first().waitFor();
    expect(await page.locator('#app img, #app b, #app script').count()).toBe(0);
    expect(await page.evaluate('window.hacked ?? null')).toBeNull();
    expect(await page.title()).toBe('Sessions');
  });

  it('is chosen, opened and left with keys alone, and its address is no credential', async () => {
    const page = await open();
    await row(page, 0).waitFor();
    await page.keyboard.press('j');
    for (const key of ['j', 'ArrowDown', 'k', 'Enter']) await page.keyboard.press(key);
    await page.getByRole('tab', { name: 'Log' }).waitFor();
    expect(await page.locator('.row.selected').getAttribute('id')).toBe('session-1');
    expect(new URL(page.url()).hash).toMatch(/^#\/[0-9a-f]{8}-[0-9a-f]{4}$/);
    await page.reload();
    await page.getByRole('tab', { name: 'Log' }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByText('Choose a session').waitFor();
    await page.keyboard.press('?');
    await page.getByRole('dialog').waitFor();
    await page.keyboard.press('Escape');
    expect(await page.getByRole('dialog').count()).toBe(0);
  });

  it('counts down to its expiry', async () => {
    await store.create({ id: '0-soon', principal: 'soon', ttlMs: 120_000 });
    const page = await open();
    await page.locator('.row', { hasText: 'soon' }).click();
    const timer = page.getByRole('timer');
    await timer.waitFor();
    const before = await timer.innerText();
    expect(before).toMatch(/^0[12]:\d\d$/);
    await expect.poll(() => timer.innerText(), { timeout: 10_000 }).not.toBe(before);
    ahead = 120_000;
    await page.getByText('This session has ended or expired').waitFor();
    ahead = 0;
    expect(await timer.innerText()).toBe('over');
  });

  it('ends only after a confirmation', async () => {
    const { id } = await store.create({ id: '0-end-me-please', principal: 'eve' });
    const page = await open();
    await page.locator('.row', { hasText: 'eve' }).click();
    await page.getByRole('button', { name: 'End…' }).click();
    await page.getByRole('button', { name: 'Cancel' }).click();
    expect((await store.inspect(id))?.id).toBe(id);
    await page.keyboard.press('e');
    await page.getByRole('dialog').getByText('eve', { exact: true }).waitFor();
    await page.keyboard.press('Enter');
    expect((await store.inspect(id))?.id).toBe(id);
    await page.keyboard.press('e');
    await page.getByRole('button', { name: 'End session' }).click();
    await page.getByText('This session has ended or expired').waitFor();
    expect(await store.inspect(id)).toBeUndefined();
  });
});

describe('the page', () => {
  it.each([
    ['light', 'rgb(246, 247, 249)', 'dark', 'rgb(14, 16, 20)'],
    ['dark', 'rgb(14, 16, 20)', 'light', 'rgb(246, 247, 249)'],
  ] as const)('is %s as the system is, and otherwise by choice', async (scheme, colour, other, otherColour) => {
    const page = await open({ colorScheme: scheme });
    const background = () => page.evaluate('getComputedStyle(document.documentElement).backgroundColor');
    await page.getByLabel('Theme: as the system').waitFor();
    expect(await background()).toBe(colour);
    while ((await page.getByLabel(`Theme: ${other}`).count()) === 0) await page.keyboard.press('t');
    expect(await background()).toBe(otherColour);
    await page.reload();
    await page.getByLabel(`Theme: ${other}`).waitFor();
    expect(await background()).toBe(otherColour);
  });

  it('fits a narrow screen', async () => {
    const page = await open({ viewport: { width: 400, height: 800 } });
    await row(page, 0).click();
    await page.locator('.live-live').waitFor();
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(400);
    await page.getByLabel('Back').click();
    await row(page, 0).waitFor();
  });

  it('says within seconds that its store is away, and that it is back', async () => {
    const line: Line = { state: 'up' };
    const failures: unknown[] = [];
    const own = await serve({ store: failing(store, line), onError: (error) => failures.push(error) });
    onTestFinished(() => own.close());
    const page = await browser.newPage();
    onTestFinished(() => page.close());
    await page.goto(own.url);
    await row(page, 0).click();
    await page.locator('.live-live').waitFor();
    line.state = 'cut';
    await page.locator('.live-lost').waitFor({ timeout: 15_000 });
    await page.getByRole('alert').waitFor();
    line.state = 'up';
    await page.locator('.live-live').waitFor({ timeout: 15_000 });
    await page.getByRole('alert').waitFor({ state: 'detached', timeout: 15_000 });
    expect(failures[0]).toMatchObject({ code: 'STORE_UNAVAILABLE' });
  });

  it('takes its token from the fragment, removes it there, and sends it with each call', async () => {
    const authorize = (request: Request, action: string) =>
      action === 'page' || request.headers.get('authorization') === 'Bearer secret-1';
    const own = await serve({ store, authorize, readOnly: true });
    onTestFinished(() => own.close());
    const page = await browser.newPage();
    onTestFinished(() => page.close());
    await page.goto(own.url);
    await page.getByText('You may not look here').waitFor();
    await page.goto(`${own.url}#token=secret-1`);
    await page.reload();
    await row(page, 0).click();
    await page.getByRole('tab', { name: 'Log' }).waitFor();
    await page.locator('.live-live').waitFor();
    expect(page.url()).not.toContain('secret');
    expect(await page.getByRole('button', { name: 'End…' }).count()).toBe(0);
  });
});
