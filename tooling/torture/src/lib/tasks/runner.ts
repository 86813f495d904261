import type { TaskHandle, TaskRunner } from '@mcp-session/tasks';
import { setTimeout as pause } from 'node:timers/promises';
import { clock } from '../history.ts';
import type { TaskHistory } from './history.ts';

/** How many answers a task needs, one after the other. */
export const STEPS = 2;

/** What a task stores between its steps. */
interface Progress {
  readonly step: number;
  /** The answers that were used. */
  readonly used: readonly string[];
}

/** What the client answers. */
export interface Answer {
  readonly answer: string;
}

/** The key of the question of a step. */
export function keyOf(step: number): string {
  return `step ${step}`;
}

/** Asks for an answer in each step, and records what it gets and writes. */
export function recordedRunner(history: TaskHistory): TaskRunner {
  return async (task) => {
    const { taskId: id, attempt } = task;
    const begun = (task.checkpoint ?? { step: 0, used: [] }) as unknown as Progress;
    let { step } = begun;
    const used = [...begun.used];
    history.write({ kind: 'began', id, attempt, at: clock(), step });
    for (; step < STEPS; step++) {
      task.signal.throwIfAborted();
      await recorded(history, task, undefined, () => task.status(`step ${step}`));
      const key = keyOf(step);
      const answers = await task.requireInput({ [key]: { method: 'elicitation/create', params: { message: key } } });
      const { answer } = answers[key] as Answer;
      history.write({ kind: 'used', id, attempt, key, answer });
      used.push(answer);
      await pause(50);
      const progress = { step: step + 1, used: [...used] };
      await recorded(history, task, step + 1, () => task.saveCheckpoint(progress));
    }
    return { used, attempt };
  };
}

/** Makes a write, and records it if it was acknowledged. */
async function recorded(
  history: TaskHistory,
  { taskId: id, attempt }: TaskHandle,
  step: number | undefined,
  write: () => Promise<void>,
): Promise<void> {
  const from = clock();
  await write();
  history.write({ kind: 'wrote', id, attempt, from, at: clock(), ...(step !== undefined && { step }) });
}
