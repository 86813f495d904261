import { callable, checkOptions, flag, kindOf, whole, type OptionNames } from '../values/option-checks.ts';

/** Where a replay starts. */
export interface ReplayOptions {
  /**
   * Id of the last event that the reader has: only what follows it is given. Default: `undefined`, from the oldest event that is still kept when the first one
   * is given.
   */
  readonly after?: string | undefined;
  /** Only this stream. Default: `undefined`, the whole log. */
  readonly streamId?: string | undefined;
}

/** Where a tail starts and when it ends. */
export interface TailOptions extends ReplayOptions {
  /** Ends the tail, without an error, when it is aborted. Default: `undefined`. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Is called each time the tail has given everything that is stored and begins to wait. A cursor that cannot be
   * followed fails before the first call. Must not throw. Default: nothing is called.
   */
  readonly onCaughtUp?: (() => void) | undefined;
}

/** How to append. */
export interface AppendOptions {
  /** Whether it counts as a use of the session. `false`: for what goes to sessions that nobody may be using any more. Default: `true`. */
  readonly renew?: boolean;
}

/** What to trim: the oldest events while any of the given bounds is exceeded. */
export interface TrimOptions {
  /** Keep at most so many events. */
  readonly maxEvents?: number;
  /** Keep at most so many bytes of messages. */
  readonly maxBytes?: number;
  /** Keep only what is younger, in milliseconds. */
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
  if (signal !== undefined && typeof (signal as Partial<AbortSignal> | null)?.addEventListener !== 'function')
    throw new TypeError(`Option signal is ${kindOf(signal)}, not an AbortSignal`);
  callable('onCaughtUp', options.onCaughtUp);
  return options;
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
