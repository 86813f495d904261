import {
  type JsonValue,
  type ProtocolFacts,
  type Session,
  SessionError,
  type SessionStore,
  type StateSchemas,
} from '@mcp-session/core';
import { kindOf } from '@mcp-session/core/backend';
import { NO_SETTINGS, type Settings, settingsOf } from './facts.ts';
import { HttpError, RETRY_AFTER, sessionMoves } from './http-errors.ts';
import {
  INTERNAL_ERROR,
  INVALID_REQUEST,
  isNotification,
  type JsonRpcRequest,
  type JsonRpcResponse,
} from './json-rpc.ts';
import { LocalSession, type LocalSettings } from './local-session.ts';
import type { SessionHandlerOptions } from './options.ts';
import { OutgoingIds } from './outgoing-ids.ts';
import type { AuthFacts } from './principal.ts';
import type { Sdk, ServerLike } from './sdk.ts';
import { STANDALONE_STREAM } from './standalone.ts';
import { TimeLimit } from './time-limit.ts';
import { SessionTransport } from './transport.ts';

/** Whose request it is that begins or restores a session. */
export interface Caller<AuthInfo> {
  readonly request: Request;
  readonly authInfo: AuthInfo | undefined;
}

/** What the making of servers needs besides. */
export interface LifeSettings extends LocalSettings {
  readonly setupTimeoutMs: number;
}

/** Begins sessions and brings them back: makes a server, connects it, and has it initialized, with the SDK's public API alone. */
export class ServerLife<Server extends ServerLike, AuthInfo extends AuthFacts, S extends StateSchemas> {
  readonly #sdk: Sdk<Server, AuthInfo>;
  readonly #options: SessionHandlerOptions<Server, AuthInfo, S>;
  readonly #settings: LifeSettings;
  /** Each that was connected. */
  readonly #servers = new WeakSet<Server>();
  #instances = 0;

  constructor(sdk: Sdk<Server, AuthInfo>, options: SessionHandlerOptions<Server, AuthInfo, S>, settings: LifeSettings) {
    this.#sdk = sdk;
    this.#options = options;
    this.#settings = settings;
  }

  /**
   * Begins a session with a client's `initialize` request.
   *
   * @returns The server's response, and the session that this node holds; `local` is `undefined` where the server refused.
   */
  async begin(
    initialize: JsonRpcRequest,
    principal: string | null,
    caller: Caller<AuthInfo>,
  ): Promise<{ readonly response: JsonRpcResponse; readonly local: LocalSession<Server> | undefined }> {
    const session = await this.#create(initialize, principal);
    const limit = this.#limit();
    let connecting: Promise<LocalSession<Server>> | undefined;
    try {
      // Gives the standalone stream a beginning, so that every client has a cursor from the first moment on.
      const standaloneCursor = await session.events.append(STANDALONE_STREAM, {});
      connecting = this.#connect(session, false, caller);
      const local = await limit.within(connecting);
      local.mail.appended(standaloneCursor);
      const response = await limit.within(local.transport.call(initialize, this.#extra(caller)));
      const result = response.result as
        | { readonly protocolVersion?: unknown; readonly capabilities?: unknown }
        | undefined;
      if (typeof result?.protocolVersion !== 'string') {
        await this.#discard(session, connecting);
        return { response, local: undefined };
      }
      const { protocolVersion } = result;
      const serverCapabilities = asJson(result.capabilities ?? {});
      await session.updateProtocol((facts) => ({ ...facts, protocolVersion, serverCapabilities, standaloneCursor }));
      return { response, local };
    } catch (error) {
      await this.#discard(session, connecting);
      throw error;
    } finally {
      limit.end();
    }
  }

  /** Brings back a session that was begun by another instance. */
  async restore(session: Session<S>, caller: Caller<AuthInfo>): Promise<LocalSession<Server>> {
    const limit = this.#limit();
    const connecting = this.#connect(session, true, caller);
    try {
      const local = await limit.within(connecting);
      await limit.within(local.mail.skip());
      await limit.within(local.transport.quiet.during(() => this.#replay(local, this.#extra(caller))));
      await limit.within(Promise.resolve(this.#options.onRestore?.({ session, server: local.server })));
      // Restoring it again would go the same way.
      if (local.transport.closed)
        throw new HttpError(500, 'Server closed itself while it was restored', INTERNAL_ERROR);
      return local;
    } catch (error) {
      this.#letGo(connecting);
      throw error;
    } finally {
      limit.end();
    }
  }

  async #create(initialize: JsonRpcRequest, principal: string | null): Promise<Session<S>> {
    const store: SessionStore<S> = this.#options.store;
    const id = this.#options.generateSessionId?.();
    const initializeParams = asJson(initialize.params ?? {});
    return store.create({ ...(id !== undefined && { id }), principal, protocol: { initializeParams } });
  }

  async #connect(
    session: Session<S>,
    restored: boolean,
    { request, authInfo }: Caller<AuthInfo>,
  ): Promise<LocalSession<Server>> {
    const server = await this.#options.createServer({ session, restored, request, authInfo });
    this.#checkServer(server);
    const ids = new OutgoingIds(this.#settings.nodeId, ++this.#instances);
    const transport = new SessionTransport(session.id, ids, async (message) => {
      const { health } = this.#settings;
      try {
        local.mail.appended(await health.write(() => session.events.append(STANDALONE_STREAM, message)));
      } catch (error) {
        if (health.canDoWithout(error) && local.push(STANDALONE_STREAM, message)) return;
        if (!isNotification(message)) throw error;
        // Both SDK lines let go of such promises (McpServer.sendToolListChanged), and a rejection that nobody handles ends the process.
        if (error instanceof SessionError && error.code === 'SESSION_NOT_FOUND') void local.close(false);
        else this.#settings.onError(error);
      }
    });
    const local = new LocalSession(session, server, transport, this.#settings);
    await this.#sdk.connect(server, transport);
    return local;
  }

  /** @throws TypeError where `createServer` gave none, or one that serves another session: its answers would go there. */
  #checkServer(server: unknown): asserts server is Server {
    const { connect } = (server ?? {}) as { readonly connect?: unknown };
    if (typeof connect !== 'function')
      throw new TypeError(`Option createServer returned ${kindOf(server)}; return the McpServer of the session`);
    if (this.#servers.has(server as Server))
      throw new TypeError('Option createServer returned the same server again; make a new one each time it is called');
    this.#servers.add(server as Server);
  }

  /** Tells a server what its client has told servers of the same session on other nodes. */
  async catchUp(local: LocalSession<Server>, facts: ProtocolFacts, caller: Caller<AuthInfo>): Promise<void> {
    const latest = settingsOf(facts);
    if (latest.version > local.settings.version) {
      const known = local.settings;
      local.settings = latest;
      const before = local.told;
      local.told = local.transport.quiet.during(async () => {
        await before;
        await this.#tell(local, known, latest, this.#extra(caller));
      });
    }
    const limit = this.#limit();
    try {
      await limit.within(local.told);
    } catch (error) {
      // It would keep the next request waiting as well.
      void local.close();
      throw error;
    } finally {
      limit.end();
    }
    if (local.closed) throw sessionMoves();
  }

  /** Tells a new server what the one before it was told. */
  async #replay(local: LocalSession<Server>, extra: unknown): Promise<void> {
    const { protocol } = local.session;
    const params = protocol.initializeParams as Readonly<Record<string, unknown>>;
    const { error } = await local.transport.call(restoring('initialize', params), extra);
    if (error !== undefined) throw new HttpError(500, 'Server refused to restore the session', INTERNAL_ERROR);
    local.settings = settingsOf(protocol);
    await this.#tell(local, NO_SETTINGS, local.settings, extra);
  }

  async #tell({ transport }: LocalSession<Server>, known: Settings, latest: Settings, extra: unknown): Promise<void> {
    if (latest.initialized && !known.initialized)
      transport.notify({ jsonrpc: '2.0', method: 'notifications/initialized' }, extra);
    const missing = (a: Settings, b: Settings): string[] =>
      b.subscriptions.filter((uri) => !a.subscriptions.includes(uri));
    const answers = await Promise.all([
      ...(latest.logLevel === undefined || latest.logLevel === known.logLevel
        ? []
        : [transport.call(restoring('logging/setLevel', { level: latest.logLevel }), extra)]),
      ...missing(latest, known).map((uri) => transport.call(restoring('resources/unsubscribe', { uri }), extra)),
      ...missing(known, latest).map((uri) => transport.call(restoring('resources/subscribe', { uri }), extra)),
    ]);
    for (const answer of answers)
      if (answer.error !== undefined && !transport.closed)
        this.#settings.onError(new Error(`Restored server refused what it had accepted: ${answer.error.message}`));
    // What the server says at once when it hears of `initialized` was said before, and belongs to this turn.
    await new Promise(setImmediate);
  }

  async #discard(session: Session<S>, connecting: Promise<LocalSession<Server>> | undefined): Promise<void> {
    if (connecting !== undefined) this.#letGo(connecting);
    // Nobody was told its id, so that it need not stay taken: a refused request must not leave a tombstone.
    await session.end({ keepId: false }).catch(this.#settings.onError);
  }

  /** Lets go of a server that is not wanted any more, also when it is made only later. */
  #letGo(connecting: Promise<LocalSession<Server>>): void {
    // Whoever waited for it was told why it failed.
    connecting
      .then(
        (local) => local.close(),
        () => undefined,
      )
      .catch(this.#settings.onError);
  }

  #limit(): TimeLimit {
    return new TimeLimit(
      this.#settings.setupTimeoutMs,
      () => new HttpError(503, 'Server was not ready in time', INTERNAL_ERROR, RETRY_AFTER),
    );
  }

  #extra({ request, authInfo }: Caller<AuthInfo>): unknown {
    return this.#sdk.messageExtra({ request, authInfo, closeStream: undefined, closeStandaloneStream: undefined });
  }
}

function restoring(method: string, params: Readonly<Record<string, unknown>>): JsonRpcRequest {
  return { jsonrpc: '2.0', id: `restore-${method}`, method, params };
}

/** The value as it goes over the wire: without what JSON does not hold. */
function asJson(value: object): JsonValue {
  try {
    return JSON.parse(JSON.stringify(value)) as JsonValue;
  } catch {
    // It came as JSON, so what cannot be written again is nested deeper than the stack.
    throw new HttpError(400, 'Invalid Request: message is nested too deeply', INVALID_REQUEST);
  }
}
