import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { SessionError } from '@mcp-session/core';
import type postgres from 'postgres';

/** The default export of postgres.js. */
export type Driver = typeof postgres;

/** The oldest supported version: driver-internals.ts describes this one. */
const MIN_VERSION = [3, 4, 9] as const;
const HINT = 'npm install postgres@^3.4.9';

/**
 * Loads postgres.js, a peer dependency.
 *
 * @throws SessionError `STORE_UNAVAILABLE` if it is missing or too old.
 */
export async function loadDriver(): Promise<Driver> {
  const { default: driver } = await import('postgres').catch((cause: unknown) => {
    throw new SessionError('STORE_UNAVAILABLE', `The driver postgres could not be loaded; run ${HINT}`, { cause });
  });
  const version = await readVersion();
  if (version !== undefined && isOld(version)) {
    throw new SessionError(
      'STORE_UNAVAILABLE',
      `The driver postgres is of version ${version}, which is too old; run ${HINT}`,
    );
  }
  return driver;
}

/** The installed version; `undefined` if the driver is bundled and has no package of its own. */
async function readVersion(): Promise<string | undefined> {
  try {
    const main = pathToFileURL(createRequire(import.meta.url).resolve('postgres'));
    const { name, version } = JSON.parse(await readFile(new URL('../../package.json', main), 'utf8')) as {
      readonly name?: unknown;
      readonly version?: unknown;
    };
    return name === 'postgres' && typeof version === 'string' ? version : undefined;
  } catch {
    return undefined;
  }
}

function isOld(version: string): boolean {
  const parts = version.split('.').map((part) => Number.parseInt(part, 10));
  for (const [index, least] of MIN_VERSION.entries()) {
    const part = parts[index] ?? 0;
    if (part !== least) return part < least;
  }
  return false;
}
