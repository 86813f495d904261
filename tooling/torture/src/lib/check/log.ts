import type { Delivered, Operation } from '../history.ts';
import { bySession, type Check, disorder, type FinalSession, type Round } from './round.ts';

/**
 * Logs: nothing acknowledged is lost, nothing is stored twice, and a number means the same event to
 * every reader.
 */
export const checkLogs: Check = (round) => {
  const appends = bySession(round.operations, 'append');
  const observed = observations(round);
  return [...new Set([...appends.keys(), ...observed.keys()])].flatMap((session) => {
    const own = appends.get(session) ?? [];
    return [
      ...numbers(session, own, observed.get(session) ?? []),
      ...order(session, own),
      ...ending(session, own, round.final.get(session)),
    ];
  });
};

/** What readers saw, by session. */
function observations({ operations, final }: Round): Map<string, Delivered[]> {
  const all = new Map<string, Delivered[]>();
  const add = (session: string, events: readonly Delivered[]): void => {
    const list = all.get(session);
    if (list === undefined) all.set(session, [...events]);
    else for (const event of events) list.push(event);
  };
  for (const { session, delivered } of operations) if (delivered.length > 0) add(session, delivered);
  for (const [session, { log }] of final) add(session, log);
  return all;
}

function numbers(session: string, appends: readonly Operation[], seen: readonly Delivered[]): string[] {
  const problems: string[] = [];
  const byNumber = new Map<number, string>();
  const byOperation = new Map<string, number>();
  const known = new Map(appends.map((each) => [each.id, each]));
  const say = (what: string): void => void problems.push(`log of ${session}: ${what}`);
  const note = (seq: number, by: string): void => {
    const other = byNumber.get(seq);
    if (other !== undefined && other !== by) say(`number ${seq} is ${other} for one reader and ${by} for another`);
    byNumber.set(seq, by);
    const place = byOperation.get(by);
    if (place !== undefined && place !== seq) say(`${by} is stored twice, as ${place} and ${seq}`);
    byOperation.set(by, seq);
  };
  for (const { id, outcome, got } of appends) if (outcome === 'done') note(Number(got), id);
  const told = new Set<string>();
  for (const { seq, by, stream } of seen) {
    note(seq, by);
    if (told.has(by)) continue;
    told.add(by);
    const append = known.get(by);
    if (append === undefined) say(`${by} was appended by nobody`);
    else if (append.outcome === 'refused') say(`${by} is stored although its append was refused with ${append.error}`);
    else if (append.given['stream'] !== stream) {
      say(`${by} is on stream ${stream}, not ${String(append.given['stream'])}`);
    }
  }
  return problems;
}

/**
 * An append that was acknowledged before another one began has the smaller number. Calls of one
 * process in one event-loop turn keep their order too.
 */
function order(session: string, appends: readonly Operation[]): string[] {
  const done = appends.filter(({ outcome }) => outcome === 'done');
  return disorder(done.map(({ id, at, endedAt, got }) => ({ id, at, endedAt, value: Number(got) }))).map(
    ({ before, after }) =>
      `log of ${session}: ${before} was acknowledged before ${after} began and has a greater number`,
  );
}

function ending(session: string, appends: readonly Operation[], final: FinalSession | undefined): string[] {
  if (final === undefined) return [];
  const problems: string[] = [];
  const { log, lastSeq } = final;
  const first = log[0]?.seq ?? lastSeq + 1;
  const hole = log.find(({ seq }, index) => seq !== first + index);
  if (hole !== undefined) problems.push(`log of ${session}: it has a hole before number ${hole.seq}`);
  if ((log.at(-1)?.seq ?? lastSeq) !== lastSeq) {
    problems.push(`log of ${session}: it ends with ${log.at(-1)?.seq}, and its newest number is ${lastSeq}`);
  }
  const there = new Set(log.map(({ by }) => by));
  for (const { id, outcome, got } of appends) {
    if (outcome === 'done' && Number(got) >= first && !there.has(id)) {
      problems.push(`log of ${session}: ${id} was acknowledged as number ${String(got)} but is missing`);
    }
  }
  return problems;
}
