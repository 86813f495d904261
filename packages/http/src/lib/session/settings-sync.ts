import { HttpError } from '../protocol/http-errors.ts';
import {
  errorResponse,
  INTERNAL_ERROR,
  INVALID_PARAMS,
  isRequest,
  type JsonRpcMessage,
  type JsonRpcRequest,
  type JsonRpcResponse,
} from '../protocol/json-rpc.ts';
import type { StoreHealth } from '../store/health.ts';
import type { AnySession } from '../store/session-handle.ts';
import { factsOf, type SessionFacts, updateFacts } from '../store/session-record.ts';
import {
  changeBy,
  changeByNotifications,
  type ClientSettings,
  NO_SETTINGS,
  type SettingsChange,
  SettingsLimitError,
  settingsOf,
} from './client-settings.ts';
import type { SessionTransport } from './transport.ts';

/**
 * A session's server was replaced by one that does not speak the session's protocol version. The
 * status is the one for a version that is not supported (MCP 2025-11-25, basic/transports, Protocol
 * Version Header).
 */
export class UnsupportedVersionError extends HttpError {
  readonly agreed: string;

  constructor(agreed: string, spoken: string) {
    super(
      400,
      `Bad Request: Unsupported protocol version: ${agreed}. The server was replaced by one that speaks ${spoken}; start a new session`,
    );
    this.agreed = agreed;
  }
}

export interface SettingsContext {
  /**
   * How long a session lives after its last use, in milliseconds; `undefined`: as the store says.
   */
  readonly sessionTtlMs: number | undefined;
  readonly onError: (error: unknown) => void;
}

/**
 * Keeps a client's settings in two places: in the session, where all nodes find them, and in this
 * node's server, to which it replays what the client told servers on other nodes.
 */
export class SettingsSync {
  readonly #session: AnySession;
  readonly #transport: SessionTransport;
  readonly #ttlMs: number | undefined;
  readonly #onError: (error: unknown) => void;
  /** The settings that the server has. */
  #applied: ClientSettings = NO_SETTINGS;
  /** Resolves when the server has them; `undefined`: it has. */
  #applying: Promise<void> | undefined;

  constructor(session: AnySession, transport: SessionTransport, context: SettingsContext) {
    const { sessionTtlMs, onError } = context;
    this.#session = session;
    this.#ttlMs = sessionTtlMs;
    this.#transport = transport;
    this.#onError = onError;
  }

  /**
   * The error for a request that asks for more than a session keeps; `undefined`: the server may
   * have it.
   */
  refusalOf(request: JsonRpcRequest): JsonRpcResponse | undefined {
    try {
      changeBy(request)?.(factsOf(this.#session));
      return undefined;
    } catch (error) {
      return refusal(request, error);
    }
  }

  /**
   * Stores what a request changed that the server has accepted.
   *
   * @returns The error to send instead of the server's response, if the session keeps no more.
   */
  async store(request: JsonRpcRequest): Promise<JsonRpcResponse | undefined> {
    const change = changeBy(request);
    if (change === undefined) return undefined;
    try {
      await this.#store(change);
      return undefined;
    } catch (error) {
      return refusal(request, error);
    }
  }

  /**
   * Stores what the notifications of a POST change. If the store fails, this node's server still
   * gets a change of roots.
   *
   * A session has its full life from `notifications/initialized` on, or from the first request of a
   * client that leaves it out.
   */
  async storeNotified(messages: readonly JsonRpcMessage[], health: StoreHealth): Promise<void> {
    const notified = changeByNotifications(messages);
    if (notified === undefined && !(this.#isNew && messages.some(isUse))) return;
    await health.write(
      () => this.#store((facts) => ({ ...(notified?.change(facts) ?? facts), ttlMs: this.#ttlMs })),
      (error) => {
        if (notified?.initialized === true) throw error;
      },
    );
  }

  /** Whether the session does not have its full life yet, as far as this node knows. */
  get #isNew(): boolean {
    return factsOf(this.#session).ttlMs !== this.#ttlMs;
  }

  /**
   * Initializes a restored server and replays the settings to it.
   *
   * @returns The result of its `initialize`.
   * @throws HttpError 500 if it refuses. UnsupportedVersionError if it does not speak the session's
   * protocol version.
   */
  async replay(extra: unknown): Promise<unknown> {
    const facts = factsOf(this.#session);
    const params = facts.protocol.initializeParams as Readonly<Record<string, unknown>>;
    const { error, result } = await this.#transport.call(replayed('initialize', params), extra);
    if (error !== undefined) throw new HttpError(500, 'Server refused to restore the session', INTERNAL_ERROR);
    const { protocolVersion: spoken } = (result ?? {}) as { readonly protocolVersion?: unknown };
    const { protocolVersion: agreed = spoken } = facts.protocol;
    if (spoken !== agreed) throw new UnsupportedVersionError(String(agreed), String(spoken));
    this.#applied = settingsOf(facts);
    // A new server has not asked for the roots yet.
    await this.#apply({ ...NO_SETTINGS, rootsVersion: this.#applied.rootsVersion }, this.#applied, extra);
    return result;
  }

  /**
   * Applies the settings of the session to the server.
   *
   * @param facts The session's facts as they are now.
   * @returns Resolves when the server has all of them; `undefined`: it has them already.
   */
  apply(facts: SessionFacts, extra: unknown): Promise<void> | undefined {
    const latest = settingsOf(facts);
    if (latest.version > this.#applied.version) {
      const known = this.#applied;
      const before = this.#applying;
      this.#applied = latest;
      const applying = this.#transport.replayFilter.during(async () => {
        await before;
        await this.#apply(known, latest, extra);
      });
      this.#applying = applying;
      void this.#forgetWhenDone(applying);
    }
    return this.#applying;
  }

  async #forgetWhenDone(applying: Promise<void>): Promise<void> {
    try {
      await applying;
      if (this.#applying === applying) this.#applying = undefined;
    } catch {
      // The requests that wait for it fail.
    }
  }

  async #apply(known: ClientSettings, latest: ClientSettings, extra: unknown): Promise<void> {
    const transport = this.#transport;
    if (latest.initialized && !known.initialized) {
      transport.notify({ jsonrpc: '2.0', method: 'notifications/initialized' }, extra);
    }
    if (latest.rootsVersion !== known.rootsVersion) {
      transport.notify({ jsonrpc: '2.0', method: 'notifications/roots/list_changed' }, extra);
    }
    const { logLevel: level } = latest;
    const answers = await Promise.all([
      ...(level === undefined || level === known.logLevel
        ? []
        : [transport.call(replayed('logging/setLevel', { level }), extra)]),
      ...without(known, latest).map((uri) => transport.call(replayed('resources/unsubscribe', { uri }), extra)),
      ...without(latest, known).map((uri) => transport.call(replayed('resources/subscribe', { uri }), extra)),
    ]);
    for (const { error } of answers) {
      if (error !== undefined && !transport.closed) {
        this.#onError(new Error(`Restored server refused what it had accepted: ${error.message}`));
      }
    }
    // What the server sends at once after `initialized` was sent before, and belongs to the replay.
    await new Promise(setImmediate);
  }

  async #store(change: SettingsChange): Promise<void> {
    const facts = await updateFacts(this.#session, (current) => {
      const { record, ...others } = change(current);
      return { ...others, record: { ...record, settingsVersion: record.settingsVersion + 1 } };
    });
    const settings = settingsOf(facts);
    // If another node changed something too, the server gets both changes with its next request.
    if (settings.version === this.#applied.version + 1) this.#applied = settings;
  }
}

/** Whether a message shows that a client uses its session. */
function isUse(message: JsonRpcMessage): boolean {
  return isRequest(message) && message.method !== 'ping';
}

function refusal({ id }: JsonRpcRequest, error: unknown): JsonRpcResponse {
  if (error instanceof SettingsLimitError) return errorResponse(id, INVALID_PARAMS, error.message);
  throw error;
}

/** The subscriptions of the first settings that the second do not have. */
function without(one: ClientSettings, other: ClientSettings): string[] {
  const others = new Set(other.subscriptions);
  return one.subscriptions.filter((uri) => !others.has(uri));
}

function replayed(method: string, params: Readonly<Record<string, unknown>>): JsonRpcRequest {
  return { jsonrpc: '2.0', id: `restore-${method}`, method, params };
}
