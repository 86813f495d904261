import type { Session, SessionEvent } from '@mcp-session/core';
import type { Delivered } from '../history.ts';
import type { Random } from '../random.ts';
import type { Recorder } from './recorder.ts';
import { KEPT_EVENTS, STREAMS } from './sessions.ts';

/** How long a tail may take to deliver everything after all work has ended, in milliseconds. */
const DELIVERY_MS = 6_000;

/** A message that names its append and its stream, with some bytes that must arrive intact. */
interface Message {
  readonly by: string;
  readonly stream: string;
  readonly size: number;
  readonly padding: string;
}

/** Appends one event, or several at once, whose order must be the order of the calls. */
export async function append(session: Session, random: Random, recorder: Recorder, large: number): Promise<void> {
  const stream = random.pick(STREAMS);
  const count = random.chance(0.2) ? random.whole(2, 6) : 1;
  const seqOf = (id: string): number => Number.parseInt(id, 10);
  await Promise.all(
    Array.from({ length: count }, () => {
      const size = random.chance(0.03) ? random.whole(1, large) : random.whole(0, 200);
      return recorder.call(
        'append',
        session.id,
        (by) => session.events.append(stream, { by, stream, size, padding: 'x'.repeat(size) } satisfies Message),
        { stream },
        seqOf,
      );
    }),
  );
}

/** Replays the log, or one of its streams, from a random place. */
export async function replay(session: Session, random: Random, recorder: Recorder, known: string[]): Promise<void> {
  const streamId = random.chance(0.5) ? random.pick(STREAMS) : undefined;
  const after = known.length > 0 && random.chance(0.6) ? random.pick(known) : undefined;
  const place = fitting(session, after, streamId);
  await recorder.call(
    'replay',
    session.id,
    async (to) => {
      for await (const page of inPages(session.events.replay({ after: place, streamId }))) {
        recorder.delivered(page.map((event) => delivered(to, event)));
        remember(known, page);
      }
    },
    { after: seqOf(place), stream: streamId ?? null },
  );
}

/**
 * Follows the log, or one of its streams. Once `drained` resolves with the newest number, the tail
 * ends when it reaches that number.
 *
 * Reports `late` if that takes longer than six seconds.
 */
export async function tail(
  session: Session,
  random: Random,
  recorder: Recorder,
  {
    known,
    drained,
    signal,
  }: { readonly known: string[]; readonly drained: Promise<number>; readonly signal: AbortSignal },
): Promise<void> {
  const streamId = random.chance(0.3) ? random.pick(STREAMS) : undefined;
  const after = known.length > 0 && random.chance(0.5) ? random.pick(known) : undefined;
  const place = fitting(session, after, streamId);
  await recorder.call(
    'tail',
    session.id,
    async (to) => {
      const stop = new AbortController();
      const all = AbortSignal.any([stop.signal, signal]);
      let reached = seqOf(place) ?? 0;
      let until = Number.POSITIVE_INFINITY;
      let timer: NodeJS.Timeout | undefined;
      let late = false;
      // A tail of one stream cannot know its last number, so it gets the full time.
      const target = drained.then((seq) => {
        until = seq;
        if (streamId === undefined && reached >= until) stop.abort();
        timer = setTimeout(
          () => {
            late = streamId === undefined && !all.aborted;
            stop.abort();
          },
          streamId === undefined ? DELIVERY_MS : 1_500,
        );
      });
      void target;
      try {
        for await (const event of session.events.tail({ after: place, streamId, signal: all })) {
          recorder.delivered([delivered(to, event)]);
          reached = event.seq;
          if (streamId === undefined && reached >= until) break;
        }
      } finally {
        clearTimeout(timer);
      }
      return { late, reached };
    },
    { after: seqOf(place), stream: streamId ?? null },
  );
}

export async function trim(session: Session, recorder: Recorder): Promise<void> {
  await recorder.call('trim', session.id, () => session.events.trim({ maxEvents: KEPT_EVENTS }));
}

/** A whole log as the store has it. */
export async function readLog(session: Session): Promise<Delivered[]> {
  const events: Delivered[] = [];
  for await (const event of session.events.replay()) events.push(delivered('end', event));
  return events;
}

/** A cursor of the session and stream; `undefined` if the given one belongs to another. */
function fitting(session: Session, after: string | undefined, streamId: string | undefined): string | undefined {
  if (after === undefined) return undefined;
  const stream = session.events.streamOf(after);
  return stream !== undefined && (streamId === undefined || stream === streamId) ? after : undefined;
}

function seqOf(id: string | undefined): number | null {
  return id === undefined ? null : Number.parseInt(id, 10);
}

function delivered(to: string, { seq, streamId, message }: SessionEvent): Delivered {
  const { by, stream, size, padding } = message as Partial<Message>;
  const whole = stream === streamId && typeof by === 'string' && padding?.length === size;
  return { to, seq, by: whole ? by : `damaged: ${JSON.stringify(message).slice(0, 80)}`, stream: streamId };
}

/** Remembers some of the cursors that were returned. */
function remember(known: string[], events: readonly SessionEvent[]): void {
  const last = events.at(-1);
  if (last !== undefined) known.push(last.id);
  if (known.length > 200) known.splice(0, 100);
}

async function* inPages(events: AsyncIterable<SessionEvent>): AsyncGenerator<SessionEvent[]> {
  let page: SessionEvent[] = [];
  for await (const event of events) {
    page.push(event);
    if (page.length === 100) {
      yield page;
      page = [];
    }
  }
  if (page.length > 0) yield page;
}
