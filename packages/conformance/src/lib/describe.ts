import { kindOf } from '@mcp-session/core/backend';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CaseRunner, findBrokenPromise, leftoverCheck } from './case-runner.ts';
import { cases } from './cases.ts';
import { checkOpen } from './checks.ts';
import type { OpenStorage } from './storage.ts';

// For databases that are far away. On a correct backend, no case takes this long.
const TIMEOUT_MS = 120_000;

/**
 * Registers every case of the kit with vitest, as one `describe`. The cases read the backend's
 * capabilities and test both sides of each.
 *
 * @param name Name of the backend in the test report.
 * @param open Creates new, empty storage: one for all cases that can share it, and one for each
 * other case.
 * @throws TypeError for a mistake in the arguments; in what `open` returns, the tests fail with it.
 */
export function describeBackend(name: string, open: OpenStorage): void {
  if (typeof name !== 'string') throw new TypeError(`The name of the backend is ${kindOf(name)}, not a string`);
  checkOpen(open);
  describe(name, () => {
    let shared: CaseRunner;

    beforeAll(async () => {
      shared = await CaseRunner.open(open);
    }, TIMEOUT_MS);

    afterAll(async () => {
      await shared?.close();
    }, TIMEOUT_MS);

    for (const chosen of [...cases, leftoverCheck]) {
      it(
        `${chosen.id}: ${chosen.title}`,
        async () => {
          const shares = chosen.storage === 'common' || chosen === leftoverCheck;
          const broken = shares ? await shared.attempt(chosen) : await findBrokenPromise(chosen, open);
          if (broken !== undefined) throw broken;
          expect(broken).toBeUndefined();
        },
        TIMEOUT_MS,
      );
    }
  });
}
