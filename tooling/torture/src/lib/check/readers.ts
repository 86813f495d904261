import type { Delivered, Operation } from '../history.ts';
import { type Check, type FinalSession, type Round } from './round.ts';

/** Tails and replays: no gap, no duplicate, and everything up to the end. */
export const checkReaders: Check = (round) =>
  round.operations
    .filter(({ name }) => name === 'tail' || name === 'replay')
    .flatMap((reader) =>
      look(reader, round).map((what) => `${reader.name} ${reader.id} of ${reader.session}: ${what}`),
    );

function look(reader: Operation, { pools, final }: Round): string[] {
  const { delivered, given, outcome, got } = reader;
  const stream = given['stream'] as string | null;
  const after = given['after'] as number | null;
  const problems: string[] = [];
  const backwards = delivered.find(({ seq }, index) => index > 0 && seq <= (delivered[index - 1]?.seq ?? 0));
  if (backwards !== undefined) problems.push(`number ${backwards.seq} arrived twice or too late`);
  const stray = delivered.find((event) => stream !== null && event.stream !== stream);
  if (stray !== undefined) problems.push(`number ${stray.seq} belongs to stream ${stray.stream}`);
  if (after !== null && (delivered[0]?.seq ?? Number.POSITIVE_INFINITY) <= after) {
    problems.push(`number ${delivered[0]?.seq} is not after ${after}`);
  }
  const isTrimmed = pools.trimmed.includes(reader.session);
  if (stream === null) problems.push(...wholeLog(delivered, after, isTrimmed));
  else problems.push(...oneStream(delivered, stream, after, isTrimmed, final.get(reader.session)));
  if ((got as { late?: boolean } | null)?.late === true) {
    problems.push(`it had come to ${(got as { reached: number }).reached} when it should have delivered everything`);
  }
  if (outcome === 'refused' && reader.error === 'EVENTS_TRIMMED' && !isTrimmed) {
    problems.push('it got the error of a trim, although nothing was trimmed');
  }
  return problems;
}

/** A reader without a cursor starts at the oldest retained event, whatever was trimmed. */
function wholeLog(delivered: readonly Delivered[], after: number | null, isTrimmed: boolean): string[] {
  const first = delivered[0]?.seq;
  if (first === undefined) return [];
  if (after !== null && first !== after + 1) return [`it starts at ${first}, not after ${after}`];
  if (after === null && !isTrimmed && first !== 1) return [`it starts at ${first}, although nothing was trimmed`];
  const gap = delivered.find(({ seq }, index) => seq !== first + index);
  return gap === undefined ? [] : [`something is missing before number ${gap.seq}`];
}

/** Every event of the stream between the first and the last that it returned. */
function oneStream(
  delivered: readonly Delivered[],
  stream: string,
  after: number | null,
  isTrimmed: boolean,
  final: FinalSession | undefined,
): string[] {
  const last = delivered.at(-1)?.seq;
  if (final === undefined || last === undefined) return [];
  // If a trim was possible, events before the first one may have been removed.
  const from = after ?? (isTrimmed ? (delivered[0]?.seq ?? 0) - 1 : 0);
  const had = new Set(delivered.map(({ seq }) => seq));
  const missing = final.log.find(
    (event) => event.stream === stream && event.seq > from && event.seq <= last && !had.has(event.seq),
  );
  return missing === undefined ? [] : [`number ${missing.seq} of its stream is missing`];
}
