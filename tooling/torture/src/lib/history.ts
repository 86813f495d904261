import { openSync, readFileSync, writeSync } from 'node:fs';

/** What a worker can do. Each is one call of the public API. */
export type OperationName =
  | 'append'
  | 'replay'
  | 'tail'
  | 'update'
  | 'compareAndSet'
  | 'patch'
  | 'readPair'
  | 'setOwn'
  | 'getOwn'
  | 'removeOwn'
  | 'updateMetadata'
  | 'touch'
  | 'get'
  | 'getForeign'
  | 'trim'
  | 'end'
  | 'create'
  | 'sweep';

/** What a worker writes down before it makes a call. */
export interface Begun {
  readonly id: string;
  readonly at: number;
  readonly name: OperationName;
  readonly session: string;
  /** What the call was given, as far as a check needs it. */
  readonly given: Readonly<Record<string, unknown>>;
}

/** What a worker writes down when a call has ended. */
export interface Ended {
  readonly of: string;
  readonly at: number;
  /** What the call gave; `undefined` where it failed. */
  readonly got?: unknown;
  /** Code of the error, or its text where it has none. */
  readonly error?: string;
  readonly outcomeUnknown?: boolean;
  readonly retryable?: boolean;
}

/** An event that a tail or a replay gave. */
export interface Delivered {
  readonly to: string;
  readonly seq: number;
  /** Id of the operation that appended it; another text where the message is not one of ours. */
  readonly by: string;
  readonly stream: string;
}

/**
 * A call as the history tells it.
 *
 * | outcome   | meaning                                                                         |
 * | --------- | ------------------------------------------------------------------------------- |
 * | `done`    | it resolved                                                                     |
 * | `refused` | it rejected, and nothing was written                                            |
 * | `unknown` | it rejected with `outcomeUnknown`, or its process was killed: it may have happened |
 */
export interface Operation extends Begun {
  readonly outcome: 'done' | 'refused' | 'unknown';
  /** `Infinity` if no caller learned its end. */
  readonly endedAt: number;
  readonly got: unknown;
  readonly error: string | undefined;
  readonly retryable: boolean;
  readonly delivered: readonly Delivered[];
}

/** Microseconds of the clock that all processes of a machine share and nobody sets. */
export function clock(): number {
  return Number(process.hrtime.bigint() / 1_000n);
}

/**
 * Writes a history synchronously, so that what was written down survives a SIGKILL of its process.
 */
export class HistoryWriter {
  readonly #file: number;

  constructor(path: string) {
    this.#file = openSync(path, 'a');
  }

  write(line: Begun | Ended | readonly Delivered[]): void {
    writeSync(this.#file, `${JSON.stringify(line)}\n`);
  }
}

/**
 * Reads what the processes of a round wrote down. The last line of one that was killed can be cut
 * off.
 */
export function readHistory(paths: readonly string[]): Operation[] {
  const begun = new Map<string, Begun>();
  const ended = new Map<string, Ended>();
  const delivered = new Map<string, Delivered[]>();
  for (const path of paths) {
    for (const line of readFileSync(path, 'utf8').split('\n').slice(0, -1)) {
      const entry = JSON.parse(line) as Begun | Ended | readonly Delivered[];
      if (isDelivered(entry)) {
        for (const each of entry) {
          const list = delivered.get(each.to);
          if (list === undefined) delivered.set(each.to, [each]);
          else list.push(each);
        }
      } else if ('of' in entry) ended.set(entry.of, entry);
      else begun.set(entry.id, entry);
    }
  }
  return [...begun.values()]
    .map((each) => operation(each, ended.get(each.id), delivered.get(each.id) ?? []))
    .toSorted((a, b) => a.at - b.at);
}

function isDelivered(entry: Begun | Ended | readonly Delivered[]): entry is readonly Delivered[] {
  return Array.isArray(entry);
}

function operation(begun: Begun, end: Ended | undefined, delivered: readonly Delivered[]): Operation {
  const failed = end?.error !== undefined;
  const outcome = end === undefined || end.outcomeUnknown === true ? 'unknown' : failed ? 'refused' : 'done';
  return {
    ...begun,
    outcome,
    endedAt: end?.at ?? Number.POSITIVE_INFINITY,
    got: end?.got,
    error: end?.error,
    retryable: end?.retryable ?? false,
    delivered,
  };
}
