import { createTestDatabase, createTestTables } from '@mcp-session-tooling/databases';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inject, onTestFinished } from 'vitest';
import type { Place } from '../../src/runtimes/store.ts';

/** A new place for sessions. It is removed when the test ends. */
export async function newPlace(backend: Place['backend']): Promise<Place> {
  switch (backend) {
    case 'memory':
      return { backend };
    case 'sqlite':
      return { backend, path: join(newFolder(), 'sessions.db') };
    case 'postgres': {
      const { url, dispose } = await createTestDatabase(inject('postgres').url);
      onTestFinished(dispose);
      return { backend, url };
    }
    case 'dynamodb': {
      const { url } = inject('dynamodb');
      const { prefix, dispose } = createTestTables(url);
      onTestFinished(dispose);
      return { backend, url, prefix };
    }
  }
}

/** A new folder. It is removed when the test ends. */
export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'mcp-session-platforms-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
