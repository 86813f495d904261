import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { countCheck } from './report.ts';
import type { Step } from './steps.ts';

/** Ends something that the steps of a run share. */
export type End = () => Promise<void>;

/**
 * Starts one server of each database for the tests of all packages, which find it in the
 * environment.
 *
 * @param ends Receives what ends each server.
 */
export function databases(ends: End[]): Step[] {
  return (['postgres', 'dynamodb'] as const).map((database) => ({
    name: database,
    run: async () => {
      const lines: string[] = [];
      try {
        // Loaded on demand: the other commands do without the drivers.
        const { shareDatabase } = await import('@mcp-session-tooling/databases');
        ends.push(await shareDatabase(database, process.env, (line) => lines.push(line)));
        return { ...countCheck(database, true), output: lines.join('\n') };
      } catch (error) {
        return { ...countCheck(database, false), output: String(error) };
      }
    },
  }));
}

/**
 * Lets every Node of the run keep what it has compiled in one folder, TypeScript without its types
 * included: the tests start hundreds of processes, which load the same modules.
 *
 * @returns What removes the folder.
 */
export function compileCache(): End {
  const folder = mkdtempSync(join(tmpdir(), 'mcp-session-compiled-'));
  process.env['NODE_COMPILE_CACHE'] = folder;
  return () => rm(folder, { recursive: true, force: true, maxRetries: 5 });
}
