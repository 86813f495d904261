import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { median, quantile, type Times } from './compare.ts';
import type { Row, Scale } from './result.ts';
import type { Subject } from './store-cases.ts';

/** What a process follows. */
export type TailPlan = { readonly by: 'ours' | 'raw'; readonly id: string } & (
  | { readonly backend: 'sqlite'; readonly path: string }
  | { readonly backend: 'postgres'; readonly url: string; readonly schema: string }
);

/** A session to append to, and the process that follows it. */
export interface Followed {
  readonly subject: Subject;
  readonly plan: TailPlan;
}

const MODULE = fileURLToPath(new URL('../tail-process.ts', import.meta.url));

/**
 * Measures the time from an append in this process to the event in another one, for both sides
 * alternately.
 */
export async function measureTails(
  ours: Followed,
  raw: Followed,
  how: { readonly name: string; readonly targetMs: number },
  { quick, say }: Scale,
): Promise<Row> {
  const followers = [follow(ours), follow(raw)] as const;
  try {
    await Promise.all(followers.map(({ ready }) => ready));
    for (let turn = 0; turn < (quick ? 5 : 100); turn++) {
      for (const follower of followers) {
        await follower.append();
        // At random times, so that no poll is in step.
        await pause(5 + Math.random() * 40);
      }
    }
    const [mine, theirs] = [timesOf(followers[0].delays), timesOf(followers[1].delays)];
    say(`tail: ${mine.medianMs.toFixed(2)} ms, ${how.name} ${theirs.medianMs.toFixed(2)} ms`);
    return {
      operation: 'tail in another process, from append to event',
      ours: mine,
      targetMs: how.targetMs,
      beside: [{ name: how.name, times: theirs, ratio: theirs.medianMs / mine.medianMs }],
    };
  } finally {
    for (const { child } of followers) child.kill();
  }
}

interface Follower {
  readonly child: ChildProcess;
  readonly ready: Promise<unknown>;
  readonly delays: number[];
  append(): Promise<void>;
}

function follow({ subject, plan }: Followed): Follower {
  const child = fork(MODULE, [JSON.stringify(plan)], { execArgv: ['--conditions=@mcp-session/source'] });
  const delays: number[] = [];
  const ready = once(child, 'message');
  return {
    child,
    ready,
    delays,
    append: async () => {
      const arrived = once(child, 'message');
      await subject.append({ at: performance.timeOrigin + performance.now() });
      const [delay] = (await arrived) as [number];
      delays.push(delay);
    },
  };
}

/** When the append of a message was called, in Unix milliseconds. */
export function sentAt(message: unknown): number {
  return (message as { readonly at: number }).at;
}

function timesOf(delays: readonly number[]): Times {
  return { medianMs: median(delays), p99Ms: quantile(delays, 0.99) };
}
