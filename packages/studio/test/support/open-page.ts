import type { Browser, Page } from 'playwright-core';
import { expect, onTestFinished } from 'vitest';

/**
 * Opens the page, and fails the test for anything that the page complains about or loads from
 * elsewhere.
 */
export async function openPage(
  browser: Browser,
  url: string,
  options: Parameters<Browser['newPage']>[0],
): Promise<Page> {
  const page = await browser.newPage({ viewport: { width: 1_280, height: 800 }, ...options });
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('console', (message) => {
    // A browser notes each answer of this status, such as that of a session that has ended.
    if (message.type() === 'error' && !message.text().includes('status of 404')) faults.push(message.text());
  });
  page.on('request', (request) => {
    const { origin, href } = new URL(request.url());
    if (origin !== new URL(url).origin) faults.push(`request to ${href}`);
    // Ids are credentials: none is in an address.
    if (/[0-9a-f]{4}-7[0-9a-f]{3}-/.test(href) || href.includes('token')) faults.push(`address ${href}`);
  });
  onTestFinished(async () => {
    await page.close();
    expect(faults).toEqual([]);
  });
  await page.goto(url);
  return page;
}
