import type { Logger } from '@mcp-session/core';
import {
  callable,
  checkOptions,
  errorListenerOptions,
  kindOf,
  oneOf,
  positive,
  type OptionNames,
} from '@mcp-session/core/backend';
import { TaskChanges, type TaskBus } from './changes.ts';
import { reporter } from './report.ts';
import type { TaskHandle } from './task-handle.ts';

/**
 * Executes tasks of one name. What it returns, in JSON, becomes the result of the task. What it
 * throws is shown to the client. If it throws what a method of its {@link TaskHandle} refused,
 * `onError` gets that as well.
 */
export type TaskRunner = (task: TaskHandle) => Promise<object>;

/** Options of `createTaskStore`. */
export interface TaskStoreOptions {
  /**
   * What executes tasks, by name. Every node that may continue a task of another node has the same
   * ones. Default: none; tasks are then executed by those who call `claim`.
   */
  readonly runners?: Readonly<Record<string, TaskRunner>>;
  /**
   * What happens to a task whose worker has died, unless its creator says otherwise. `fail`: it
   * fails, with a clear error. `run again`: a node with its runner runs it again, from its
   * checkpoint; a task without a runner can be claimed again. Default: `fail`.
   */
  readonly onInterrupted?: 'fail' | 'run again';
  /**
   * How long a worker counts as alive after its last heartbeat, in milliseconds. The clocks of the
   * nodes must agree to well within it. Default: 15 seconds (`15_000`).
   */
  readonly leaseMs?: number;
  /**
   * How long a task is kept from its creation, in milliseconds, unless its creator says otherwise.
   * Default: 24 hours (`86_400_000`).
   */
  readonly ttlMs?: number;
  /** How often clients should ask, in milliseconds. Default: `2_000`. */
  readonly pollIntervalMs?: number;
  /**
   * Carries changes of tasks between nodes, for `watch` and for `subscriptions/listen`: the bus of
   * `createStoreEventBus`, which the handler can share. A change then costs one more write, an
   * append to the log of the bus. Default: none. Watchers then see changes of other nodes when they
   * read the task again, every `pollIntervalMs`.
   */
  readonly bus?: TaskBus;
  /**
   * Is called with errors that no caller waits for: of the store, such as a heartbeat that failed,
   * and of runners, such as a write that nobody awaited, or a result that cannot be stored. Also
   * with what fails for a client of `serveTasks`: its option `principal`, and the store.
   * Default: the errors go to `logger`.
   */
  readonly onError?: (error: unknown) => void;
  /** Gets these errors without `onError`, each cause once a minute. Default: the console. */
  readonly logger?: Logger;
  /** Returns the present time in whole Unix milliseconds. Default: `Date.now`. */
  readonly clock?: () => number;
}

/** Options with their defaults applied. */
export interface ResolvedTaskOptions {
  readonly runners: ReadonlyMap<string, TaskRunner>;
  readonly onInterrupted: 'fail' | 'run again';
  readonly leaseMs: number;
  readonly ttlMs: number;
  readonly pollIntervalMs: number;
  readonly changes: TaskChanges;
  readonly onError: (error: unknown) => void;
  readonly clock: () => number;
}

/** The longest delay of a timer of Node. */
export const MAX_TIMER_MS: number = 2_147_483_647;

const NAMES: OptionNames<TaskStoreOptions> = {
  runners: ['handlers', 'workers', 'run'],
  onInterrupted: ['onCrash', 'onDeath'],
  leaseMs: ['heartbeatMs', 'lockMs'],
  ttlMs: ['ttl', 'defaultTtlMs', 'expiresIn'],
  pollIntervalMs: ['pollInterval'],
  bus: ['eventBus', 'events'],
  ...errorListenerOptions,
  clock: ['now'],
};

/** @throws TypeError or RangeError that names the option. */
export function resolveTaskOptions(store: unknown, options: TaskStoreOptions): ResolvedTaskOptions {
  if (typeof (store as { readonly ofKind?: unknown } | undefined)?.ofKind !== 'function') {
    throw new TypeError(`Store of createTaskStore is ${kindOf(store)}, not a session store; await it first`);
  }
  checkOptions(options, NAMES, 'createTaskStore');
  return {
    runners: checkRunners(options.runners),
    onInterrupted: checkInterrupted(options.onInterrupted, 'fail'),
    leaseMs: positive('leaseMs', options.leaseMs, 15_000, MAX_TIMER_MS),
    ttlMs: positive('ttlMs', options.ttlMs, 86_400_000),
    pollIntervalMs: positive('pollIntervalMs', options.pollIntervalMs, 2_000),
    changes: new TaskChanges(checkBus(options.bus)),
    onError: reporter(options),
    clock: callable('clock', options.clock) ?? Date.now,
  };
}

function checkRunners(runners: TaskStoreOptions['runners'] = {}): ReadonlyMap<string, TaskRunner> {
  if (kindOf(runners) !== 'an object') {
    throw new TypeError(`Option runners is ${kindOf(runners)}, not an object of functions by name`);
  }
  const entries = Object.entries(runners);
  for (const [name, runner] of entries) {
    // A task with a runner that is undefined would stay `working` until its time is over.
    if (typeof runner !== 'function') {
      throw new TypeError(`Option runners.${name} is ${kindOf(runner)}, not a function`);
    }
  }
  return new Map(entries);
}

function checkBus(bus: TaskBus | undefined): TaskBus | undefined {
  if (bus === undefined) return undefined;
  const { publish, subscribe } = (bus ?? {}) as Partial<TaskBus>;
  if (typeof publish === 'function' && typeof subscribe === 'function') return bus;
  throw new TypeError(`Option bus is ${kindOf(bus)}, not an event bus; pass what createStoreEventBus returns`);
}

/** @throws TypeError or RangeError */
export function checkInterrupted(value: unknown, fallback: 'fail' | 'run again'): ResolvedTaskOptions['onInterrupted'] {
  return oneOf('onInterrupted', value, ['fail', 'run again'], fallback);
}
