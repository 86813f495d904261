import type { Logger, SessionStore } from '@mcp-session/core';
import {
  callable,
  checkOptions,
  errorListener,
  errorListenerOptions,
  flag,
  kindOf,
  text,
  type OptionNames,
} from '@mcp-session/core/backend';

/**
 * What a request asks for.
 *
 * - `page`: a file of the page. It is the same for everyone and holds nothing of the store.
 * - `read`: anything that is stored. The ids of sessions are part of it.
 * - `end`: the end of sessions.
 */
export type StudioAction = 'page' | 'read' | 'end';

/** Options of {@link createStudio}. */
export interface StudioOptions {
  /** The store to look into. Looking renews no session. Required; the studio does not close it. */
  readonly store: Pick<
    SessionStore,
    'backendName' | 'capabilities' | 'inspect' | 'list' | 'count' | 'countByKind' | 'endAll'
  >;
  /**
   * Says whether a request may do what it asks for. A `Response` is sent instead of a refusal, such
   * as a redirect to a login. `false` is answered with 403.
   *
   * A user who may `read` sees all data of all users, and the ids of sessions. With its id, anyone
   * can use a session that has no principal.
   *
   * Default: only requests over a loopback connection, to a host name that always means this
   * machine.
   */
  readonly authorize?: (request: Request, action: StudioAction) => boolean | Response | Promise<boolean | Response>;
  /** Whether the studio refuses to end sessions. Default: `false`. */
  readonly readOnly?: boolean;
  /** The path that the studio is mounted at, such as `/studio`. Default: `/`. */
  readonly basePath?: string;
  /**
   * Is called when the store or `authorize` fails. Default: the errors go to `logger`.
   */
  readonly onError?: (error: unknown) => void;
  /** Gets these errors without `onError`, each cause once a minute. Default: the console. */
  readonly logger?: Logger;
}

/** Options with their defaults applied. */
export interface ResolvedOptions {
  readonly store: StudioOptions['store'];
  readonly authorize: StudioOptions['authorize'];
  readonly readOnly: boolean;
  /** Begins and ends with a slash. */
  readonly basePath: string;
  readonly onError: (error: unknown) => void;
}

const NAMES: OptionNames<StudioOptions> = {
  store: ['sessions', 'sessionStore'],
  authorize: ['auth', 'authenticate', 'authorise', 'isAllowed'],
  readOnly: ['readonly', 'read'],
  basePath: ['base', 'path', 'prefix', 'mount'],
  ...errorListenerOptions,
};

const METHODS = ['inspect', 'list', 'count', 'countByKind', 'endAll'] as const;
/** Segments of characters that need no encoding in a URL. */
const BASE_PATH = /^\/(?:[\w.~-]+(?:\/[\w.~-]+)*\/?)?$/;

/** @throws TypeError or RangeError that names the option. */
export function resolveOptions(options: StudioOptions): ResolvedOptions {
  checkOptions(options, NAMES, 'createStudio');
  const { store } = options;
  const kind = kindOf(store);
  if (kind === 'a promise') throw new TypeError('Option store is a promise; await the store first');
  const methods = (store ?? {}) as Partial<Record<string, unknown>>;
  if (METHODS.some((name) => typeof methods[name] !== 'function')) {
    throw new TypeError(`Option store is ${kind}, not a session store, such as createMemoryStore gives`);
  }
  const basePath = text('basePath', options.basePath, '/');
  if (!BASE_PATH.test(basePath)) {
    throw new RangeError(`Option basePath is ${JSON.stringify(basePath)}, not a path such as "/studio"`);
  }
  return {
    store,
    authorize: callable('authorize', options.authorize),
    readOnly: flag('readOnly', options.readOnly, false),
    basePath: basePath.endsWith('/') ? basePath : `${basePath}/`,
    onError: errorListener(options, { from: '@mcp-session/studio', owner: 'a studio', warning: 'StudioWarning' }),
  };
}
