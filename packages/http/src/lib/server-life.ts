import {
  type JsonValue,
  type ProtocolFacts,
  type Session,
  SessionError,
  type SessionStore,
  type StateSchemas,
} from '@mcp-session/core';
import { kindOf } from '@mcp-session/core/backend';
import { settingsOf } from './facts.ts';
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
import { replay, tell } from './retelling.ts';
import type { Sdk, ServerLike } from './sdk.ts';
import { STANDALONE_STREAM } from './standalone.ts';
import { TimeLimit } from './time-limit.ts';
import { SessionTransport } from './transport.ts';

/** Bytes of the parameters of `initialize`: half of what a session's facts may have, so that there is room for what comes later. */
const MAX_PARAMS_BYTES = 131_072;

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
      await limit.within(
        local.transport.quiet.during(() => replay(local, this.#extra(caller), this.#settings.onError)),
      );
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
    const initializeParams = asJson(initialize.params ?? {}, MAX_PARAMS_BYTES);
    return store.create({ ...(id !== undefined && { id }), principal, protocol: { initializeParams } });
  }

  async #connect(
    session: Session<S>,
    restored: boolean,
    { request, authInfo }: Caller<AuthInfo>,
  ): Promise<LocalSession<Server>> {
    const server = await this.#options.createServer({ session, restored, request, authInfo });
    this.#checkServer(server);
    const ids = new OutgoingIds(this.#settings.nodeId);
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
      const told = local.transport.quiet.during(async () => {
        await before;
        await tell(local.transport, known, latest, this.#extra(caller), this.#settings.onError);
      });
      local.told = told;
      void this.#forgetWhenTold(local, told);
    }
    if (local.told === undefined) return;
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

  async #discard(session: Session<S>, connecting: Promise<LocalSession<Server>> | undefined): Promise<void> {
    if (connecting !== undefined) this.#letGo(connecting);
    // Nobody was told its id, so that it need not stay taken: a refused request must not leave a tombstone.
    await session.end({ keepId: false }).catch(this.#settings.onError);
  }

  async #forgetWhenTold(local: LocalSession<Server>, told: Promise<void>): Promise<void> {
    try {
      await told;
      if (local.told === told) local.told = undefined;
    } catch {
      // The request that waits for it fails.
    }
  }

  /** Lets go of a server that is not wanted any more, also when it is made only later. */
  #letGo(connecting: Promise<LocalSession<Server>>): void {
    // The request that waited for it has reported why it failed.
    connecting
      .then(
        (local) => local.close(),
        () => undefined,
      )
      .catch(this.#settings.onError);
  }

  #limit(): TimeLimit {
    const { setupTimeoutMs, onError } = this.#settings;
    return new TimeLimit(setupTimeoutMs, () => {
      onError(new Error(`Server of a session was not ready within setupTimeoutMs, ${setupTimeoutMs} ms`));
      return new HttpError(503, 'Server was not ready in time', INTERNAL_ERROR, RETRY_AFTER);
    });
  }

  #extra({ request, authInfo }: Caller<AuthInfo>): unknown {
    return this.#sdk.messageExtra({ request, authInfo, closeStream: undefined, closeStandaloneStream: undefined });
  }
}

/** The value as it goes over the wire: without what JSON does not hold. */
function asJson(value: object, maxBytes = Number.POSITIVE_INFINITY): JsonValue {
  try {
    const text = JSON.stringify(value);
    if (Buffer.byteLength(text) > maxBytes)
      throw new SessionError('PROFILE_TOO_LARGE', `Parameters of initialize exceed ${maxBytes} bytes`);
    return JSON.parse(text) as JsonValue;
  } catch (error) {
    if (error instanceof SessionError) throw error;
    // It came as JSON, so what cannot be written again is nested deeper than the stack.
    throw new HttpError(400, 'Invalid Request: message is nested too deeply', INVALID_REQUEST);
  }
}
