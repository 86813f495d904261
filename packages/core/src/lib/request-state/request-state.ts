import { randomBytes } from 'node:crypto';
import type { SessionKind } from '../api/session-kind.ts';
import type { SessionStore } from '../api/session-store.ts';
import { SessionError } from '../errors.ts';
import { utf8Bytes } from '../values/ids.ts';
import { encodeExact } from '../values/json.ts';
import { digestOf } from './digest.ts';
import {
  checkContext,
  resolveRequestStateOptions,
  type RequestStateContext,
  type RequestStateOptions,
  type ResolvedRequestStateOptions,
} from './options.ts';
import { seal, unseal } from './seal.ts';

/** A verified state that was sealed with parameters. */
export interface BoundRequestState<Payload = unknown> {
  /**
   * Opens the payload for a request with the same parameters. Their properties may have another
   * order.
   *
   * @throws SessionError `INVALID_REQUEST_STATE` for other parameters.
   */
  open(parameters: unknown): Payload;
}

/** Seals what a server must know again when a client has answered its input requests. */
export interface RequestState<Context extends RequestStateContext = RequestStateContext> {
  /**
   * Seals a payload for the `requestState` of an `InputRequiredResult`.
   *
   * @param payload Any JSON value but `undefined`.
   * @param context The context of the request that is being handled.
   * @param parameters What the repeated request must have again, such as the tool's name and its
   * arguments. The state is then a {@link BoundRequestState}. Default: `undefined`, no such check.
   * @throws SessionError `NOT_JSON`, `INVALID_PRINCIPAL`, and for a payload that is kept in the
   * store `STATE_VALUE_TOO_LARGE` and `STORE_…`. TypeError for a context without `mcpReq.method`.
   */
  mint(payload: unknown, context: Context, parameters?: unknown): Promise<string>;

  /**
   * Opens a state that a client has sent. Give it to the SDK:
   * `new McpServer(info, { requestState: { verify } })`. The SDK then answers a refused state with
   * -32602, and `ctx.mcpReq.requestState<Payload>()` returns the payload, or the
   * `BoundRequestState<Payload>` if the state was sealed with parameters. Needs no `this`.
   *
   * @throws SessionError `INVALID_REQUEST_STATE` if the state is malformed, was changed, has
   * expired, was used before, or was sealed by an unknown key, for another principal or for another
   * method. `INVALID_PRINCIPAL`, `STORE_…`. TypeError for a context without `mcpReq.method`.
   */
  readonly verify: (state: string, context: Context) => Promise<unknown>;
}

/** What a state holds. Short names, since it travels. */
interface Contents {
  /** When it expires, in Unix milliseconds. */
  readonly e: number;
  /** The payload. */
  readonly p?: unknown;
  /** The id of the claim that has the payload. */
  readonly c?: string;
  /** The digest of the parameters. */
  readonly d?: string;
  /** The id of a state that is used once. */
  readonly o?: string;
}

/** How much longer than a state its records are kept, for clocks that differ. */
const MARGIN_MS = 60_000;

class RequestStates<Context extends RequestStateContext> implements RequestState<Context> {
  readonly #options: ResolvedRequestStateOptions<Context>;
  readonly #claims: SessionKind;
  readonly #used: SessionKind;

  constructor(store: Pick<SessionStore, 'ofKind'>, options: ResolvedRequestStateOptions<Context>) {
    const life = options.ttlMs + MARGIN_MS;
    this.#options = options;
    this.#claims = store.ofKind('claim', { ttlMs: life, maxLifetimeMs: life });
    this.#used = store.ofKind('once', { ttlMs: life, maxLifetimeMs: life });
  }

  async mint(payload: unknown, context: Context, parameters?: unknown): Promise<string> {
    const { keys, ttlMs, once, maxInlineBytes, clock } = this.#options;
    const [key] = keys;
    if (key === undefined) throw new TypeError('Option keys is empty');
    checkContext(context, 'mint');
    const principal = await this.#options.principalOf(context);
    const text = encodeExact(
      payload,
      () => 'Payload of a request state',
      () => undefined,
    );
    const inline = utf8Bytes(text) <= maxInlineBytes;
    const contents: Contents = {
      e: clock() + ttlMs,
      ...(inline ? { p: payload } : { c: await this.#keep(payload, principal) }),
      ...(parameters !== undefined && { d: digestOf(parameters) }),
      ...(once && { o: randomBytes(16).toString('base64url') }),
    };
    return seal(JSON.stringify(contents), bindingOf(principal, context), key);
  }

  readonly verify = async (state: string, context: Context): Promise<unknown> => {
    checkContext(context, 'verify');
    const principal = await this.#options.principalOf(context);
    const opened = unseal(state, bindingOf(principal, context), this.#options.keys);
    if (opened === 'malformed') throw invalid('is malformed');
    if (opened === 'foreign') throw invalid('was changed, or sealed by another key, for another user or method');
    const { e, p, c, d, o } = JSON.parse(opened.text) as Contents;
    if (e <= this.#options.clock()) throw invalid('has expired');
    // Read before it is used up, so that a store that fails in between costs no state.
    const payload = c === undefined ? p : await this.#claimed(c, principal);
    if (o !== undefined) await this.#useUp(o);
    if (d === undefined) return payload;
    return { open: (parameters) => openBound(payload, d, parameters) } satisfies BoundRequestState;
  };

  async #keep(payload: unknown, principal: string | null): Promise<string> {
    const claim = await this.#claims.create({ id: `claim_${randomBytes(16).toString('base64url')}`, principal });
    await claim.state.set('payload', payload);
    return claim.id;
  }

  async #claimed(id: string, principal: string | null): Promise<unknown> {
    const claim = await this.#claims.get(id, { principal });
    const payload: unknown = await claim?.state.get('payload');
    if (payload === undefined) throw invalid('has expired');
    return payload;
  }

  /** One caller alone creates the record of a state, on all nodes together. */
  async #useUp(id: string): Promise<void> {
    try {
      await this.#used.create({ id: `once_${id}` });
    } catch (error) {
      if (error instanceof SessionError && error.code === 'SESSION_EXISTS') throw invalid('was used before');
      throw error;
    }
  }
}

function openBound(payload: unknown, digest: string, parameters: unknown): unknown {
  let given;
  try {
    given = digestOf(parameters);
  } catch {
    // Parameters come from the client, in any depth.
  }
  if (given !== digest) throw invalid('belongs to other parameters');
  return payload;
}

function bindingOf(principal: string | null, { mcpReq }: RequestStateContext): string {
  return JSON.stringify(['mcp-session request state', 1, principal, mcpReq.method]);
}

function invalid(why: string): SessionError {
  return new SessionError('INVALID_REQUEST_STATE', `Request state ${why}`);
}

/**
 * Makes the codec of `requestState` (MCP 2026-07-28, basic/patterns/mrtr): what a tool must know
 * again when the client repeats its request with answers, on whichever node that is. The client
 * holds the state and may be hostile, so it is encrypted, authenticated, bound to the principal and
 * the method, and it expires.
 *
 * @example
 * ```ts
 * import { createMemoryStore } from '@mcp-session/core/memory';
 * import { createRequestState } from '@mcp-session/core/request-state';
 *
 * const store = await createMemoryStore();
 * const keys = [{ id: '2026-11', secret: 'at least 32 bytes from a generator' }];
 * const states = createRequestState(store, { keys, principal: () => 'user-1', once: true });
 * const context = { mcpReq: { method: 'tools/call' } };
 * const state = await states.mint({ step: 2 }, context);
 * console.log(await states.verify(state, context)); // { step: 2 }
 * await states.verify(state, context).catch(({ message }) => console.log(message)); // Request state was used before
 * await store.close();
 * ```
 *
 * @throws TypeError or RangeError that names the option.
 */
export function createRequestState<Context extends RequestStateContext = RequestStateContext>(
  store: Pick<SessionStore, 'ofKind'>,
  options: RequestStateOptions<Context>,
): RequestState<Context> {
  return new RequestStates<Context>(store, resolveRequestStateOptions(store, options));
}
