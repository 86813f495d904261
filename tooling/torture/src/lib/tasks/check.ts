import type { Known } from './client.ts';
import type { Began, TaskLine, Used, Wrote } from './history.ts';
import { keyOf, STEPS } from './runner.ts';

/** Checks the promises of each task against what its workers and its client have recorded. */
export function taskProblems(known: ReadonlyMap<string, Known>, lines: readonly TaskLine[]): string[] {
  const byId = Map.groupBy(lines, ({ id }) => id);
  return [...known].flatMap(([id, task]) => {
    const own = byId.get(id) ?? [];
    const began = own.filter((line): line is Began => line.kind === 'began');
    const wrote = own.filter((line): line is Wrote => line.kind === 'wrote');
    const used = own.filter((line): line is Used => line.kind === 'used');
    return [...endOf(task), ...twice(began), ...late(began, wrote), ...lost(began, wrote), ...answers(task, used)].map(
      (problem) => `${id}: ${problem}`,
    );
  });
}

function endOf({ final, cancelled }: Known): string[] {
  if (final === undefined) return ['never ended'];
  const { status, error } = final;
  if (status === 'completed' || (status === 'cancelled' && cancelled)) return [];
  return [`ended as ${status} ${JSON.stringify(error)}`];
}

/** Each worker has a number of its own. */
function twice(began: readonly Began[]): string[] {
  return [...Map.groupBy(began, ({ attempt }) => attempt)]
    .filter(([, all]) => all.length > 1)
    .map(([attempt, all]) => `attempt ${attempt} was begun ${all.length} times`);
}

/** Once a worker has begun, no write of an earlier one is accepted. */
function late(began: readonly Began[], wrote: readonly Wrote[]): string[] {
  return wrote.flatMap((write) =>
    began
      .filter(({ attempt, at }) => attempt > write.attempt && at < write.from)
      .map(({ attempt }) => `a write of attempt ${write.attempt} was accepted after attempt ${attempt} had begun`),
  );
}

/** An acknowledged checkpoint is where the next worker begins. */
function lost(began: readonly Began[], wrote: readonly Wrote[]): string[] {
  return wrote.flatMap(({ attempt, at, step = 0 }) =>
    began
      .filter((next) => next.attempt > attempt && next.at > at && next.step < step)
      .map((next) => `attempt ${next.attempt} began at step ${next.step}, and step ${step} was acknowledged before`),
  );
}

/** Every worker gets the same answer to a key, and the result has each once. */
function answers({ final, given }: Known, used: readonly Used[]): string[] {
  const byKey = Map.groupBy(used, ({ key }) => key);
  const problems = [...byKey].flatMap(([key, all]) => {
    const different = [...new Set(all.map(({ answer }) => answer))];
    if (different.length > 1) return [`workers got ${different.join(' and ')}`];
    return different.every((answer) => given.get(key)?.includes(answer) ?? true)
      ? []
      : [`${key} was never answered so`];
  });
  if (final?.status !== 'completed') return problems;
  const { used: inResult } = final.result as { readonly used: readonly string[] };
  const expected = Array.from({ length: STEPS }, (_, step) => byKey.get(keyOf(step))?.[0]?.answer);
  if (JSON.stringify(inResult) === JSON.stringify(expected)) return problems;
  return [...problems, `the result has ${JSON.stringify(inResult)} and not ${JSON.stringify(expected)}`];
}
