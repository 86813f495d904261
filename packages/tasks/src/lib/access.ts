import { checkOptions, kindOf, type OptionNames } from '@mcp-session/core/backend';
import type { CreateTaskOptions, WatchTaskOptions } from './api.ts';
import type { TaskAccess } from './task.ts';

/** Methods of the task store whose options name a principal. */
type Method = 'create' | 'get' | 'update' | 'cancel' | 'claim' | 'watch';

const ACCESS: OptionNames<TaskAccess> = { principal: ['owner', 'user', 'userId', 'subject', 'sub'] };
const WATCH: OptionNames<WatchTaskOptions> = { ...ACCESS, signal: ['abort', 'abortSignal'] };
const CREATE: OptionNames<CreateTaskOptions> = {
  ...ACCESS,
  ttlMs: ['ttl'],
  pollIntervalMs: ['pollInterval'],
  context: ['metadata', 'arguments', 'args'],
  onInterrupted: [],
  runner: ['handler', 'name', 'worker'],
};
const KNOWN: Readonly<Record<Method, OptionNames>> = {
  create: CREATE,
  get: ACCESS,
  update: ACCESS,
  cancel: ACCESS,
  claim: ACCESS,
  watch: WATCH,
};

/**
 * Checks the names of a method's options.
 *
 * @returns The principal, for the session store to check; `null` if it was left out.
 * @throws TypeError for a name, and for a principal that is `undefined`.
 */
export function principalOf(options: TaskAccess, method: Method): string | null {
  checkOptions(options, KNOWN[method], method);
  const { principal } = options;
  // Often the result of a failed lookup. Treated as omitted, it would make a task of everybody.
  if (principal === undefined && 'principal' in options) {
    throw new TypeError(`Option principal of ${method} is undefined; give null for nobody, or leave it out`);
  }
  return principal ?? null;
}

/** @throws TypeError */
export function checkSignal(signal: AbortSignal | undefined): void {
  if (signal !== undefined && typeof (signal as Partial<AbortSignal> | null)?.addEventListener !== 'function') {
    throw new TypeError(`Option signal is ${kindOf(signal)}, not an AbortSignal`);
  }
}
