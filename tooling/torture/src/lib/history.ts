import { openSync, readFileSync, writeSync } from 'node:fs';

/** The operations of a worker. Each is one call of the public API. */
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

/** What a worker records before a call. */
export interface Begun {
  readonly id: string;
  readonly at: number;
  readonly name: OperationName;
  readonly session: string;
  /** The arguments of the call, as far as a check needs them. */
  readonly given: Readonly<Record<string, unknown>>;
}

/** What a worker records after a call. */
export interface Ended {
  readonly of: string;
  readonly at: number;
  /** The result of the call; `undefined` if it failed. */
  readonly got?: unknown;
  /** Code of the error, or its text if it has none. */
  readonly error?: string;
  readonly outcomeUnknown?: boolean;
  readonly retryable?: boolean;
}

/** An event that a tail or a replay returned. */
export interface Delivered {
  readonly to: string;
  readonly seq: number;
  /** Id of the operation that appended it; another string if the message is not one of ours. */
  readonly by: string;
  readonly stream: string;
}

/**
 * A call according to the history.
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

/** Microseconds of the monotonic clock, which all processes of a machine share. */
export function clock(): number {
  return Number(process.hrtime.bigint() / 1_000n);
}

/**
 * Writes a history synchronously, so that every record survives a SIGKILL of its process.
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
 * Reads the histories of a round. The last line of a killed process may be incomplete.
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
