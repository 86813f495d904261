import { checkOptions, positive, type EventRow } from '@mcp-session/core/backend';
import { setTimeout as wait } from 'node:timers/promises';
import { append, NOW, range, readPage, seqs, walkEvents } from './actions.ts';
import { findBrokenPromise } from './case-runner.ts';
import { isolatedCase, type Case, type CaseContext } from './case.ts';
import { Finding, holds, same } from './findings.ts';
import { PARTS, writerMessage } from './commands.ts';
import type { ProcessPeer } from './peer.ts';
import type { OpenStorage } from './storage.ts';

/** How often a writer is killed. */
export interface CrashOptions {
  /** 1 or more. Each kill starts two processes, which takes some tenths of a second. */
  readonly kills: number;
}

/** The result of {@link crashWriters}, which throws if anything was lost. */
export interface CrashReport {
  /** How often writers were killed. */
  readonly kills: number;
  /** Requests that were acknowledged before a kill. */
  readonly acknowledged: number;
  /** Events in the log at the end, including those whose acknowledgement was lost by a kill. */
  readonly events: number;
}

/** The acknowledgements of a writer that was killed. */
interface Writer {
  readonly name: string;
  /** The first number of each of its requests, in the order of the acknowledgements. */
  readonly acknowledged: number[];
}

/**
 * Starts processes that append without a pause, kills them with SIGKILL at random moments, and
 * checks the log after each kill. The kit does this a few times; tests of a backend may want more.
 *
 * @throws BrokenPromiseError if an acknowledged append is missing or the log has a hole. TypeError
 * or RangeError for a mistake in the test, such as storage that is not durable.
 */
export async function crashWriters(open: OpenStorage, options: CrashOptions): Promise<CrashReport> {
  checkOptions(options, { kills: ['times', 'count', 'rounds'] }, 'crashWriters');
  const kills = positive('kills', options.kills ?? null, 1);
  const reports: CrashReport[] = [];
  const broken = await findBrokenPromise(
    crashCase(kills, (report) => reports.push(report)),
    open,
    0,
  );
  if (broken !== undefined) throw broken;
  const [report] = reports;
  if (report === undefined) throw new TypeError('crashWriters needs a backend whose capabilities say durable');
  return report;
}

/** The case of the kit. */
export function crashCase(kills: number, tell: (report: CrashReport) => unknown = () => undefined): Case {
  return isolatedCase('lifecycle.crash', `${kills} times with SIGKILL, while it appends`, async (t) => {
    const id = await t.createLive();
    if (!t.capabilities.durable) {
      const other = await t.reopen();
      if (!t.capabilities.shared) {
        same(await other.readSession(id, NOW), undefined, 'readSession of a storage that is not durable, opened again');
      }
      return;
    }
    if (!t.capabilities.shared) await t.backend.close();
    const writers: Writer[] = [];
    let [killed, events] = [0, 0];
    for (const kill of range(1, kills)) {
      writers.push(...(await writeAndKill(t, id, kill)));
      killed += 1;
      const backend = await t.reopen();
      checkLog(await walkEvents(backend, id), writers);
      const next = await append(backend, id, 'after', ['1']);
      // The last request of a killed writer may be committed a moment later, before or after this.
      const { lastSeq } = await readPage(backend, id);
      const log = await walkEvents(backend, id);
      checkLog(log, writers);
      same(
        log[(next ?? 0) - 1]?.streamId,
        'after',
        'stream of the event that has the number of an append after the kill',
      );
      holds(
        lastSeq !== undefined && lastSeq <= log.length,
        'the newest number is above the number of events in the log',
      );
      if (t.capabilities.shared) {
        holds(
          seqs(await walkEvents(t.backend, id)).length >= log.length,
          'a handle from before the kill reads fewer events than one from after it',
        );
      }
      await backend.close();
      events = log.length;
    }
    tell({ kills: killed, acknowledged: writers.flatMap((writer) => writer.acknowledged).length, events });
  });
}

/** Fails unless the log has all acknowledged events, no hole and no half request. */
function checkLog(log: readonly EventRow[], writers: readonly Writer[]): void {
  same(seqs(log), range(1, log.length), 'numbers in the log after a writer was killed: no hole');
  for (const { name, acknowledged } of writers) {
    const own = log.filter((row) => row.streamId === name);
    const messages = own.map((row) => row.message);
    same(
      messages,
      messages.map((_, n) => writerMessage(name, n)),
      `messages of a writer that was killed, in the order in which it appended them`,
    );
    same(own.length % PARTS, 0, `events of a request that is there only in part, of ${PARTS} in each`);
    const stored = own.filter((_, index) => index % PARTS === 0).map((row) => row.seq);
    same(
      stored.slice(0, acknowledged.length),
      acknowledged,
      'first numbers of requests that were acknowledged before the kill, as the log has them',
    );
  }
}

async function writeAndKill(t: CaseContext, sessionId: string, kill: number): Promise<Writer[]> {
  const count = t.capabilities.shared ? 2 : 1;
  const peers = await Promise.all(range(1, count).map(() => t.killablePeer()));
  return Promise.all(peers.map((peer, index) => writeUntilKilled(peer, sessionId, `k${kill}-${index}`)));
}

async function writeUntilKilled(peer: ProcessPeer, sessionId: string, name: string): Promise<Writer> {
  const acknowledged: number[] = [];
  const enough = 1 + Math.floor(Math.random() * 30);
  let reached: () => void = () => undefined;
  const begun = new Promise<void>((resolve) => {
    reached = resolve;
  });
  const running = peer.run({ do: 'append-on', sessionId, writer: name, now: NOW }, (seq) => {
    if (acknowledged.push(seq) === enough) reached();
  });
  const early = running.then(() => {
    throw new Finding('a writer stopped before it was killed: its session was not live');
  });
  early.catch(() => undefined);
  await Promise.race([begun, early, tooSlow(enough)]);
  await wait(Math.random() * 10);
  await peer.kill();
  holds(acknowledged.length >= enough, 'a writer was killed before it had appended');
  return { name, acknowledged };
}

async function tooSlow(enough: number): Promise<never> {
  await wait(30_000, undefined, { ref: false });
  throw new Finding(`a writer did not append ${enough} times within 30 s`);
}
