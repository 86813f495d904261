import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { packAll, type Packed } from '../../src/pack.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Every published package, packed once for all test files. */
    readonly packed: readonly Packed[];
  }
}

/** For `globalSetup` of vitest: packs the packages before the tests, which do not change them. */
export default async function setup(project: TestProject): Promise<() => void> {
  const folder = mkdtempSync(join(tmpdir(), 'mcp-session-packed-'));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  try {
    project.provide('packed', await packAll(folder));
    return remove;
  } catch (error) {
    remove();
    throw error;
  }
}
