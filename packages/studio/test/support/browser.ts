import { existsSync } from 'node:fs';
import { chromium, type Browser } from 'playwright-core';

/** Where an installed browser is, on Linux and macOS. */
const INSTALLED = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/opt/google/chrome/chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
];

const REMEDY = 'Install Chromium or Chrome, or name one in CHROMIUM_PATH';

/**
 * Starts the first Chromium of these: the one that `CHROMIUM_PATH` names, an installed one, and the
 * one of the npm package `@sparticuz/chromium`, which needs nothing of the machine but runs on
 * Linux only.
 */
export async function launchBrowser(): Promise<Browser> {
  const named = process.env['CHROMIUM_PATH'];
  const path = named ?? INSTALLED.find((each) => existsSync(each));
  const args = ['--no-sandbox', '--disable-dev-shm-usage'];
  if (path !== undefined) return start(path, args);
  if (process.platform !== 'linux') throw new Error(`There is no Chromium. ${REMEDY}.`);
  const { default: packed } = await import('@sparticuz/chromium');
  return start(await packed.executablePath(), [...args, '--disable-gpu', '--no-zygote', "--headless='shell'"]);
}

async function start(executablePath: string, args: string[]): Promise<Browser> {
  try {
    return await chromium.launch({ executablePath, args, headless: true });
  } catch (cause) {
    throw new Error(`Chromium at ${executablePath} does not start. ${REMEDY}.`, { cause });
  }
}
