import { createMemoryBackend } from '@mcp-session/core/memory';
import * as fc from 'fast-check';
import { performance } from 'node:perf_hooks';
import { setTimeout as wait } from 'node:timers/promises';
import { NOW } from '../actions.ts';
import { defineFresh, type Case, type CaseContext } from '../case.ts';
import { Finding, same, show } from '../findings.ts';
import { steps, type Step } from './arbitraries.ts';
import { apply, type Sequence } from './operations.ts';

const RUNS = 100;
/** A slow database does fewer runs, in milliseconds. */
const LIMIT_MS = 15_000;
/** How long each session of a sequence lives unless it is renewed or ended, in milliseconds. Others can be made with the same ids later. */
const FIRST_LIVES_MS = [100_000, 100_000, 1_000];
/** Set it to the seed of a failure to see the same sequences again. */
const SEED_VARIABLE = 'MCP_SESSION_CONFORMANCE_SEED';

export const generatedCases: readonly Case[] = [
  defineFresh('generated.sequence', `${RUNS} sequences of up to 100 calls`, async (t) => {
    let run = 0;
    const property = fc.asyncProperty(steps, async (chosen) => {
      run += 1;
      await compare(t, run, chosen);
    });
    const seed = process.env[SEED_VARIABLE];
    const result = await fc.check(property, {
      numRuns: RUNS,
      plugins: [fc.interruptAfterTimeLimit(LIMIT_MS)],
      ...(seed !== undefined && { seed: Number(seed) }),
    });
    if (!result.failed) return;
    // The plugin's type hides what the property was made of.
    const [calls] = (result.counterexample ?? [[]]) as readonly [readonly Step[]];
    const list = calls
      .map((step) => `  +${step.afterMs} ms, handle ${step.handle}: ${show(step.operation)}`)
      .join('\n');
    const what = result.errorInstance instanceof Error ? result.errorInstance.message : String(result.errorInstance);
    throw new Finding(
      `${what}\nafter these calls, the last of which is the one:\n${list}\nseed: ${SEED_VARIABLE}=${result.seed}`,
      {
        cause: result.errorInstance,
      },
    );
  }),
];

/** Makes the same calls on the backend under test and on the model, and compares each answer. */
async function compare(t: CaseContext, run: number, chosen: readonly Step[]): Promise<void> {
  const model = createMemoryBackend();
  const ids = [0, 1, 2].map((index) => t.id(`r${run}-${index}`));
  const sequence = (): Sequence => ({ ids, kind: `${t.kind}-${run}`, requests: [] });
  const [own, models] = [sequence(), sequence()];
  const handles = await t.handles(2);
  for (const [session, ttlMs] of FIRST_LIVES_MS.entries()) {
    const operation = { do: 'create', session, principal: null, ttlMs } as const;
    await apply(model, operation, models, NOW);
    await apply(t.backend, operation, own, NOW);
  }
  let now = NOW;
  for (const { operation, handle, afterMs } of chosen) {
    now += afterMs;
    const promised = await apply(model, operation, models, now);
    const backend = handles[handle] ?? t.backend;
    const lags = operation.do === 'list' || operation.do === 'count';
    const deadline = performance.now() + (lags ? t.listLagMs : 0);
    for (;;) {
      const got = await apply(backend, operation, own, now);
      try {
        same(got, promised, `the answer to ${operation.do} is not that of the model`);
        break;
      } catch (error) {
        if (performance.now() >= deadline) throw error;
        await wait(20);
      }
    }
  }
}
