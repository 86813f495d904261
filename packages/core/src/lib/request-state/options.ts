import { checkStore } from '../api/check-given.ts';
import { SessionError } from '../errors.ts';
import { clockOf } from '../runtime/clock.ts';
import { callable, checkOptions, flag, kindOf, positive, whole, type OptionNames } from '../values/option-checks.ts';

/** What of a request's context the request state needs. The `ServerContext` of SDK v2 fits. */
export interface RequestStateContext {
  readonly mcpReq: {
    /** The method of the request, such as `tools/call`. */
    readonly method: string;
  };
}

/** A secret that seals request states. */
export interface RequestStateKey {
  /** Names the key in what it seals, so that it is found again: 1 to 32 of `A-Za-z0-9_-`. */
  readonly id: string;
  /** At least 32 bytes from a secure generator. A string counts in bytes of UTF-8. */
  readonly secret: Uint8Array | string;
}

/** Options of `createRequestState`. */
export interface RequestStateOptions<Context extends RequestStateContext = RequestStateContext> {
  /**
   * The keys, the same on every node. The first one seals, and all of them open. To rotate, put a
   * new key at the end on every node, then at the front, and remove the old one after `ttlMs`.
   * Required.
   */
  readonly keys: readonly RequestStateKey[];
  /**
   * Returns the principal of a request, from its verified token; `null` for an anonymous one. A
   * state opens for the principal for whom it was sealed. Required.
   *
   * For the principal that the handlers of `@mcp-session/http` use by default:
   * `(ctx) => (ctx.http?.authInfo ? defaultPrincipal(ctx.http.authInfo) : null)`.
   */
  readonly principal: (context: Context) => string | null | undefined | Promise<string | null | undefined>;
  /**
   * How long a state can be opened, in milliseconds.
   *
   * Default: 10 minutes (`600_000`).
   */
  readonly ttlMs?: number;
  /**
   * Whether a state can be opened once only, by one request on any node. The store decides: a
   * second use is refused, also when both arrive at once. A client that has lost the response to
   * the first use begins anew. Costs one write for each state that is opened.
   *
   * Default: `false`.
   */
  readonly once?: boolean;
  /**
   * Largest payload that travels in the state itself, in bytes of its JSON. A larger one stays in
   * the store until the state expires, and the state refers to it: two writes and two reads more.
   * At most 32 KiB; `0` keeps every payload in the store.
   *
   * Default: 4 KiB (`4_096`).
   */
  readonly maxInlineBytes?: number;
  /** Returns the present time in whole Unix milliseconds. Default: `Date.now`. */
  readonly clock?: () => number;
}

/** Options with their defaults applied. */
export interface ResolvedRequestStateOptions<Context> {
  readonly keys: readonly RequestStateKey[];
  readonly principalOf: (context: Context) => Promise<string | null>;
  readonly ttlMs: number;
  readonly once: boolean;
  readonly maxInlineBytes: number;
  readonly clock: () => number;
}

const NAMES: OptionNames<RequestStateOptions> = {
  keys: ['key', 'secret', 'secrets'],
  principal: ['user', 'userId', 'bind'],
  ttlMs: ['ttl', 'ttlSeconds', 'expiresIn'],
  once: ['singleUse'],
  maxInlineBytes: ['maxBytes'],
  clock: ['now'],
};

const KEY_NAMES: OptionNames<RequestStateKey> = { id: ['kid', 'name'], secret: ['key', 'value'] };
const KEY_ID = /^[A-Za-z0-9_-]{1,32}$/;
const LEAST_SECRET_BYTES = 32;

/** @throws TypeError or RangeError that names the option, and never shows a secret. */
export function resolveRequestStateOptions<Context extends RequestStateContext>(
  store: unknown,
  options: RequestStateOptions<Context>,
): ResolvedRequestStateOptions<Context> {
  checkStore(store, 'createRequestState');
  checkOptions(options, NAMES, 'createRequestState');
  const tell = callable('principal', options.principal);
  if (tell === undefined) throw new TypeError('Option principal is missing; return null for anonymous requests');
  return {
    keys: checkKeys(options.keys),
    principalOf: async (context) => principalFrom(await tell(context)),
    ttlMs: positive('ttlMs', options.ttlMs, 600_000),
    once: flag('once', options.once, false),
    maxInlineBytes: whole('maxInlineBytes', options.maxInlineBytes, 4_096, 0, 32_768),
    clock: clockOf(options.clock),
  };
}

function checkKeys(keys: unknown): readonly RequestStateKey[] {
  if (!Array.isArray(keys) || keys.length === 0) {
    throw new TypeError(`Option keys is ${kindOf(keys)}, not an array of keys, such as [{ id: 'a', secret }]`);
  }
  const ids = new Set<string>();
  return keys.map((key: unknown, index) => {
    // Often a variable of the environment that is not set.
    if (kindOf(key) !== 'an object') {
      throw new TypeError(`Option keys[${index}] is ${kindOf(key)}, not a key, such as { id: 'a', secret }`);
    }
    checkOptions(key, KEY_NAMES, `keys[${index}]`);
    const { id, secret } = key as Partial<RequestStateKey>;
    if (typeof id !== 'string' || !KEY_ID.test(id)) {
      throw new RangeError(`Option keys[${index}].id does not match ${KEY_ID.source}`);
    }
    if (ids.has(id)) throw new RangeError(`Option keys names the key ${id} twice`);
    ids.add(id);
    if (typeof secret !== 'string' && !(secret instanceof Uint8Array)) {
      throw new TypeError(`Option keys[${index}].secret is ${kindOf(secret)}, not a string or bytes`);
    }
    const bytes = Buffer.byteLength(secret);
    if (bytes < LEAST_SECRET_BYTES) {
      throw new RangeError(`Option keys[${index}].secret has ${bytes} bytes, fewer than ${LEAST_SECRET_BYTES}`);
    }
    // A copy, so that a buffer that is reused elsewhere changes nothing.
    return { id, secret: typeof secret === 'string' ? secret : Uint8Array.from(secret) };
  });
}

/** @throws TypeError if the value is not the context of a request of SDK v2. */
export function checkContext(context: unknown, method: 'mint' | 'verify'): void {
  const { mcpReq } = (context ?? {}) as { readonly mcpReq?: { readonly method?: unknown } };
  if (typeof mcpReq?.method === 'string') return;
  throw new TypeError(`Context of ${method} is ${kindOf(context)}, not what SDK v2 passes to a handler`);
}

/** Fails closed: a lookup that found nobody does not make a request anonymous. */
function principalFrom(told: unknown): string | null {
  if (told === null || (typeof told === 'string' && told !== '')) return told;
  throw new SessionError(
    'INVALID_PRINCIPAL',
    `Option principal of createRequestState returned ${told === '' ? 'an empty string' : kindOf(told)}; return a string, or null for an anonymous request`,
  );
}
