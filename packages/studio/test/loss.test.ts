import { createPostgresStore } from '@mcp-session/postgres';
import { openOwnServer } from '@mcp-session-tooling/databases';
import { expect, it, onTestFinished } from 'vitest';
import { launchBrowser } from './support/browser.ts';
import { serve } from './support/server.ts';

const SOON = { timeout: 15_000 };

it('a page keeps what it shows while its PostgreSQL is stopped, and goes on by itself', async () => {
  const database = await openOwnServer('postgres');
  onTestFinished(() => database.close());
  const store = await createPostgresStore({ url: database.url, sweep: false });
  onTestFinished(() => store.close());
  const { events } = await store.create({ principal: 'ada' });
  await events.append('s', { jsonrpc: '2.0', method: 'm/before' });
  const served = await serve({ store, onError: () => undefined });
  onTestFinished(() => served.close());
  const browser = await launchBrowser();
  onTestFinished(() => browser.close());
  const page = await browser.newPage();
  const late = await browser.newPage();
  await page.goto(served.url);
  await page.locator('#session-0').click();
  await page.locator('.live-live').waitFor(SOON);

  await database.stop();
  await page.locator('.live-lost').waitFor(SOON);
  await page.getByRole('alert').getByText('STORE_UNAVAILABLE').waitFor(SOON);
  expect(await page.locator('.timeline').getByText('m/before').count()).toBe(1);
  expect(await page.locator('#session-0').count()).toBe(1);
  await late.goto(served.url);
  await late.getByRole('alert').getByText('STORE_UNAVAILABLE').waitFor(SOON);
  await late.getByText('Not read yet').waitFor(SOON);
  await database.start();

  await page.locator('.live-live').waitFor(SOON);
  await page.getByRole('alert').waitFor({ state: 'detached', ...SOON });
  await events.append('s', { jsonrpc: '2.0', method: 'm/after' });
  await page.locator('.timeline').getByText('m/after').waitFor(SOON);
  expect(await page.locator('.timeline').getByText('m/before').count()).toBe(1);
  await late.locator('#session-0').waitFor(SOON);
  await late.locator('option', { hasText: 'Session (1)' }).waitFor({ state: 'attached', ...SOON });
});
