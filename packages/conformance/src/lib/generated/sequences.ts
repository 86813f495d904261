import { createMemoryBackend } from '@mcp-session/core/memory';
import { NOW } from '../actions.ts';
import { isolatedCase, type Case, type CaseContext } from '../case.ts';
import { show } from '../findings.ts';
import { steps, type Step } from './arbitraries.ts';
import { ANSWER_MS, answered, check, sameWithin } from './check.ts';
import { apply, type Sequence } from './operations.ts';

const RUNS = 100;
/** The lifetime of a sequence's sessions, in milliseconds. Later ones may get the same ids. */
const FIRST_LIVES_MS = [100_000, 100_000, 1_000];

export const generatedCases: readonly Case[] = [sequenceCase(ANSWER_MS)];

/** @param answerMs How long each call may take, in milliseconds. */
export function sequenceCase(answerMs: number): Case {
  return isolatedCase('generated.sequence', `${RUNS} sequences of up to 100 calls`, async (t) => {
    let run = 0;
    await check({
      calls: steps,
      compare: (chosen) => compare(t, ++run, chosen, answerMs),
      tell: (step) => `+${step.afterMs} ms, handle ${step.handle}: ${show(step.operation)}`,
      runs: RUNS,
    });
  });
}

/** Makes the same calls on the backend under test and on the model, and compares each answer. */
async function compare(t: CaseContext, run: number, chosen: readonly Step[], answerMs: number): Promise<void> {
  const model = createMemoryBackend();
  const ids = [0, 1, 2].map((index) => t.id(`r${run}-${index}`));
  const sequence = (): Sequence => ({ ids, kind: `${t.kind}-${run}`, requests: [] });
  const [own, models] = [sequence(), sequence()];
  const handles = await t.handles(2);
  for (const [session, ttlMs] of FIRST_LIVES_MS.entries()) {
    const operation = { do: 'create', session, principal: null, ttlMs } as const;
    await apply(model, operation, models, NOW);
    await answered(apply(t.backend, operation, own, NOW), answerMs, operation.do);
  }
  let now = NOW;
  for (const { operation, handle, afterMs } of chosen) {
    now += afterMs;
    const promised = await apply(model, operation, models, now);
    const backend = handles[handle] ?? t.backend;
    const lagMs = operation.do === 'list' || operation.do === 'count' ? t.listLagMs : 0;
    await sameWithin(
      lagMs,
      () => answered(apply(backend, operation, own, now), answerMs, operation.do),
      promised,
      `the answer to ${operation.do} is not that of the model`,
    );
  }
}
