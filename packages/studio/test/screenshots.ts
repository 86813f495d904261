// Makes the pictures of the README: pnpm run screenshots. With a folder, also those of a narrow
// screen, for a look.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createMemoryStore } from '@mcp-session/core/memory';
import type { Page } from 'playwright-core';
import { launchBrowser } from './support/browser.ts';
import { fillDemo } from './support/demo.ts';
import { serve } from './support/server.ts';

const folder = process.argv[2] ?? fileURLToPath(new URL('../images/', import.meta.url));
mkdirSync(folder, { recursive: true });

let ahead = -90_000;
const store = await createMemoryStore({ sweep: false, clock: () => Date.now() + ahead });
const id = await fillDemo(store, (ms) => (ahead = Math.min(0, ahead + ms)));
ahead = 0;
const { url, close } = await serve({ store });
const browser = await launchBrowser();
try {
  for (const scheme of ['light', 'dark'] as const) {
    const context = await browser.newContext({ colorScheme: scheme, viewport: { width: 1_280, height: 800 } });
    const page = await context.newPage();
    page.on('console', (message) => process.stdout.write(`${scheme} ${message.type()}: ${message.text()}\n`));
    page.on('pageerror', (error) => process.stdout.write(`${scheme} ${String(error)}\n`));
    await page.goto(url);
    await open(page);
    await shoot(page, `log-${scheme}`);
    await page.keyboard.press('2');
    await page.getByText('mug-01').waitFor();
    await page.waitForTimeout(1_200);
    await shoot(page, `state-${scheme}`);
    if (process.argv[2] === undefined) continue;
    await page.setViewportSize({ width: 400, height: 800 });
    await page.keyboard.press('1');
    await page.waitForTimeout(300);
    await shoot(page, `narrow-${scheme}`);
    await page.getByLabel('Back').click();
    await page.waitForTimeout(300);
    await shoot(page, `narrow-list-${scheme}`);
  }
} finally {
  await browser.close();
  await close();
  await store.close();
}

async function open(page: Page): Promise<void> {
  await page.locator('.row', { hasText: id.slice(0, 13) }).click();
  await page.locator('.live-live').waitFor();
  await page.getByText('elicitation/create').first().click();
  await page.locator('.panel').waitFor();
  await page.mouse.move(640, 60);
  await page.waitForTimeout(400);
}

async function shoot(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: join(folder, `${name}.jpg`), type: 'jpeg', quality: 80 });
}
