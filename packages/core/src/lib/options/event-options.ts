import { callable, checkOptions, flag, kindOf, positive, whole, type OptionNames } from '../values/option-checks.ts';
import { checkStreamId } from '../values/ids.ts';

/** Where a replay starts. */
export interface ReplayOptions {
  /**
   * Id of the last event that the reader has. The replay starts after it. Default: `undefined`, the
   * oldest event that is kept when the first one is read.
   */
  readonly after?: string | undefined;
  /** Only events of this stream. Default: `undefined`, the whole log. */
  readonly streamId?: string | undefined;
}

/** Where a tail starts and when it ends. */
export interface TailOptions extends ReplayOptions {
  /** Aborting it ends the tail without an error. Default: `undefined`. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Called each time the tail has yielded everything that is stored and begins to wait. A cursor
   * that cannot be followed fails before the first call. Must not throw. Default: nothing is
   * called.
   */
  readonly onCaughtUp?: (() => void) | undefined;
}

/** Which page of a log to read. */
export interface EventPageOptions {
  /**
   * Only events with a greater number. Default: 0, which starts at the oldest event that is kept.
   */
  readonly afterSeq?: number;
  /** Only events of this stream. Default: `undefined`, the whole log. */
  readonly streamId?: string | undefined;
  /** Most events to return, 1 to 1,000. Default: `100`. Fewer are returned if they exceed 1 MiB. */
  readonly limit?: number;
}

/** How to append. */
export interface AppendOptions {
  /**
   * Whether the append counts as a use of the session. Use `false` for messages to sessions that
   * nobody may be using any more. Default: `true`.
   */
  readonly renew?: boolean;
}

/** What to trim: the oldest events, while any of the given bounds is exceeded. */
export interface TrimOptions {
  /** Maximum number of events to keep. */
  readonly maxEvents?: number;
  /** Maximum bytes of messages to keep. */
  readonly maxBytes?: number;
  /** Greatest age of the events to keep, in milliseconds. */
  readonly maxAgeMs?: number;
  /** Id of the last event to remove. */
  readonly through?: string;
}

const REPLAY: OptionNames<ReplayOptions> = {
  after: ['lastEventId', 'cursor', 'from', 'since', 'afterId', 'lastId'],
  streamId: ['stream'],
};
const TAIL: OptionNames<TailOptions> = {
  ...REPLAY,
  signal: ['abort', 'abortSignal'],
  onCaughtUp: ['onLive', 'onIdle', 'onWait'],
};
const PAGE: OptionNames<EventPageOptions> = {
  afterSeq: ['after', 'seq', 'from', 'offset'],
  streamId: ['stream'],
  limit: ['pageSize', 'max', 'count'],
};
const APPEND: OptionNames<AppendOptions> = { renew: ['touch'] };
const TRIM: OptionNames<TrimOptions> = {
  maxEvents: ['keep', 'limit', 'max'],
  maxBytes: ['maxSize'],
  maxAgeMs: ['olderThan', 'ttl', 'ttlMs'],
  through: ['upTo', 'until', 'before'],
};

export function checkReplay(options: ReplayOptions): ReplayOptions {
  checkOptions(options, REPLAY, 'replay');
  return options;
}

export function checkTail(options: TailOptions): TailOptions {
  checkOptions(options, TAIL, 'tail');
  const { signal } = options;
  if (signal !== undefined && typeof (signal as Partial<AbortSignal> | null)?.addEventListener !== 'function') {
    throw new TypeError(`Option signal is ${kindOf(signal)}, not an AbortSignal`);
  }
  callable('onCaughtUp', options.onCaughtUp);
  return options;
}

/** @returns The options with their defaults. */
export function checkPage(options: EventPageOptions): {
  readonly afterSeq: number;
  readonly streamId: string | undefined;
  readonly limit: number;
} {
  checkOptions(options, PAGE, 'page');
  const { afterSeq, streamId, limit } = options;
  return {
    afterSeq: whole('afterSeq', afterSeq, 0, 0),
    streamId: streamId === undefined ? undefined : checkStreamId(streamId),
    limit: positive('limit', limit, 100, 1_000),
  };
}

/** @returns Whether to renew. */
export function checkAppend(options: AppendOptions | undefined): boolean {
  if (options === undefined) return true;
  checkOptions(options, APPEND, 'append');
  return flag('renew', options.renew, true);
}

export function checkTrim(options: TrimOptions): TrimOptions {
  checkOptions(options, TRIM, 'trim');
  for (const name of ['maxEvents', 'maxBytes', 'maxAgeMs'] as const) whole(name, options[name], 0, 0);
  return options;
}
