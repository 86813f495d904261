import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** A folder that nothing else uses. */
export async function makeFolder(): Promise<{ readonly path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'mcp-session-sqlite-'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/** Path of a file that does not exist yet, in a folder of its own that goes with the test. */
export async function newFile(): Promise<string> {
  const folder = await makeFolder();
  onTestFinished(() => folder.remove());
  return join(folder.path, 'sessions.db');
}
