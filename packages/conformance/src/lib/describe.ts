import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Bench, leftoverCheck, runCase } from './bench.ts';
import { cases } from './cases.ts';
import type { OpenStorage } from './storage.ts';

// For a database that is far away. No case waits for so long on a backend that keeps its promises.
const TIMEOUT_MS = 120_000;

/** How long `listSessions` may lag behind writes before a case counts it as wrong, in milliseconds. */
const LIST_LAG_MS = 2_000;

/**
 * Registers every case of the kit with vitest, as one `describe` with the given name. The cases read the backend's capabilities and test each side of each.
 *
 * @param name Name of the backend, as it shows in the test report.
 * @param open Makes new, empty storage; called once for most cases together and once for each case that needs its own.
 */
export function describeBackend(name: string, open: OpenStorage): void {
  describe(name, () => {
    let shared: Bench;

    beforeAll(async () => {
      shared = await Bench.open(open, { listLagMs: LIST_LAG_MS, migrate: true });
    }, TIMEOUT_MS);

    afterAll(async () => {
      await shared?.close();
    }, TIMEOUT_MS);

    for (const chosen of [...cases, leftoverCheck]) {
      it(
        `${chosen.id}: ${chosen.title}`,
        async () => {
          const broken =
            chosen.storage === 'common' || chosen === leftoverCheck
              ? await shared.attempt(chosen)
              : await runCase(chosen, open, LIST_LAG_MS);
          if (broken !== undefined) throw broken;
          expect(broken).toBeUndefined();
        },
        TIMEOUT_MS,
      );
    }
  });
}
