import { expect, it, onTestFinished } from 'vitest';
import { launchBrowser } from './support/browser.ts';

it('a browser that is not there fails the suite, which says what to install', async () => {
  const before = process.env['CHROMIUM_PATH'];
  onTestFinished(() => {
    if (before === undefined) delete process.env['CHROMIUM_PATH'];
    else process.env['CHROMIUM_PATH'] = before;
  });
  process.env['CHROMIUM_PATH'] = '/no/such/browser';

  await expect(launchBrowser()).rejects.toThrow(
    'Chromium at /no/such/browser does not start. Install Chromium or Chrome, or name one in CHROMIUM_PATH.',
  );
});
