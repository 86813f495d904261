import { SessionError, type JsonValue } from '@mcp-session/core';
import { kindOf } from '@mcp-session/core/backend';
import { HttpError, notReady, sessionMoves } from '../protocol/http-errors.ts';
import { INTERNAL_ERROR, INVALID_REQUEST, type JsonRpcRequest, type JsonRpcResponse } from '../protocol/json-rpc.ts';
import { TimeLimit } from '../runtime/time-limit.ts';
import type { AnySession, AnyStore } from '../store/session-handle.ts';
import { type SessionFacts, updateFacts } from '../store/session-record.ts';
import { STANDALONE_STREAM } from '../stream/stream-ids.ts';
import { LocalSession, type LocalSessionContext } from './local-session.ts';
import type { Caller, SdkAdapter, ServerLike } from './sdk-adapter.ts';
import { UnsupportedVersionError } from './settings-sync.ts';

/**
 * Largest parameters of `initialize`, in bytes: half of what a session's profile may have, so that
 * there is room for later facts.
 */
const MAX_PARAMS_BYTES = 131_072;

/** Makes the servers of an application, with the types of the SDK line and of its state bound. */
export interface ServerFactory {
  create(session: AnySession, restored: boolean, caller: Caller): Promise<ServerLike>;
  /** Makes the server of one request without a session; `undefined`: such requests are refused. */
  readonly createStateless: ((caller: Caller, principal: string | null) => Promise<ServerLike>) | undefined;
  /** Is awaited after a server was restored and before its request is handled. */
  restored(session: AnySession, server: ServerLike): Promise<void>;
}

export interface LifecycleContext extends LocalSessionContext {
  readonly store: AnyStore;
  readonly servers: ServerFactory;
  readonly generateSessionId: (() => string) | undefined;
  readonly setupTimeoutMs: number;
  /**
   * How long a session lives that its client has not used yet, in milliseconds; `undefined`: as
   * long as any other.
   */
  readonly newSessionTtlMs: number | undefined;
}

interface ConnectedServer {
  readonly server: ServerLike;
  readonly local: LocalSession;
}

/**
 * Begins and restores sessions: makes a server, connects it and initializes it, with the SDK's
 * public API only.
 */
export class ServerLifecycle {
  readonly #sdk: SdkAdapter;
  readonly #context: LifecycleContext;
  /** The servers that were connected. */
  readonly #servers = new WeakSet<ServerLike>();
  /** The protocol versions of sessions that the application's server does not speak. */
  readonly #unspoken = new Set<string>();

  constructor(sdk: SdkAdapter, context: LifecycleContext) {
    this.#sdk = sdk;
    this.#context = context;
  }

  /**
   * Begins a session with a client's `initialize` request.
   *
   * @param admit Is awaited when the server has agreed. If it throws, the session is discarded.
   * @returns The server's response, and the local session; `undefined` if the server refused.
   */
  async begin(
    initialize: JsonRpcRequest,
    principal: string | null,
    caller: Caller,
    admit: (session: AnySession) => Promise<void>,
  ): Promise<{ readonly response: JsonRpcResponse; readonly local: LocalSession | undefined }> {
    const session = await this.#create(initialize, principal);
    const limit = this.#limit();
    let connecting: Promise<ConnectedServer> | undefined;
    try {
      // Gives the standalone stream a first event, so that every client has a cursor from the
      // start.
      const first = await session.events.append(STANDALONE_STREAM, {});
      connecting = this.#connect(session, false, caller);
      const { local } = await limit.within(connecting);
      local.inbox.appended(first);
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
      const server = local.lists.present(result);
      await updateFacts(session, ({ protocol, record }) => ({
        protocol: { ...protocol, protocolVersion, serverCapabilities },
        record: { ...record, server, standalone: { ...record.standalone, delivered: first } },
      }));
      await admit(session);
      return { response, local };
    } catch (error) {
      await this.#discard(session, connecting);
      throw error;
    } finally {
      limit.end();
    }
  }

  /** Restores a session that another instance began. */
  async restore(session: AnySession, caller: Caller): Promise<LocalSession> {
    const limit = this.#limit();
    const connecting = this.#connect(session, true, caller);
    try {
      const { local, server } = await limit.within(connecting);
      await limit.within(local.inbox.startAfterLatest());
      await limit.within(
        local.transport.replayFilter.during(async () => {
          local.lists.present(await local.settings.replay(this.#extra(caller)));
        }),
      );
      await limit.within(this.#context.servers.restored(session, server));
      // Another restore would end in the same way.
      if (local.transport.closed) {
        throw new HttpError(500, 'Server closed itself while it was restored', INTERNAL_ERROR);
      }
      return local;
    } catch (error) {
      this.#letGo(connecting);
      this.#reportVersion(error);
      throw error;
    } finally {
      limit.end();
    }
  }

  /** Reports once for each version that this server has sessions of and does not speak. */
  #reportVersion(error: unknown): void {
    if (!(error instanceof UnsupportedVersionError) || this.#unspoken.has(error.agreed)) return;
    this.#unspoken.add(error.agreed);
    this.#context.onError(error);
  }

  async #create(initialize: JsonRpcRequest, principal: string | null): Promise<AnySession> {
    const { store, generateSessionId, newSessionTtlMs: ttlMs } = this.#context;
    const id = generateSessionId?.();
    const initializeParams = asJson(initialize.params ?? {}, MAX_PARAMS_BYTES);
    return store.create({
      ...(id !== undefined && { id }),
      ...(ttlMs !== undefined && { ttlMs }),
      principal,
      protocol: { initializeParams },
    });
  }

  async #connect(session: AnySession, restored: boolean, caller: Caller): Promise<ConnectedServer> {
    const server = await this.#context.servers.create(session, restored, caller);
    this.#checkServer(server);
    const local = new LocalSession(session, server, this.#context);
    await this.#sdk.connect(server, local.transport);
    return { local, server };
  }

  /**
   * @throws TypeError if `createServer` returned no server, or one that serves another session: its
   * responses would go there.
   */
  #checkServer(server: unknown): asserts server is ServerLike {
    const { connect } = (server ?? {}) as { readonly connect?: unknown };
    if (typeof connect !== 'function') {
      throw new TypeError(`Option createServer returned ${kindOf(server)}; return the McpServer of the session`);
    }
    if (this.#servers.has(server as ServerLike)) {
      throw new TypeError('Option createServer returned the same server again; make a new one each time it is called');
    }
    this.#servers.add(server as ServerLike);
  }

  /** Waits until a server has the settings that its client told servers on other nodes. */
  async applySettings(local: LocalSession, facts: SessionFacts, caller: Caller): Promise<void> {
    const applying = local.settings.apply(facts, this.#extra(caller));
    if (applying === undefined) return;
    const limit = this.#limit();
    try {
      await limit.within(applying);
    } catch (error) {
      // Every later request would wait for it too.
      void local.close();
      throw error;
    } finally {
      limit.end();
    }
    if (local.closed) throw sessionMoves();
  }

  async #discard(session: AnySession, connecting: Promise<ConnectedServer> | undefined): Promise<void> {
    if (connecting !== undefined) this.#letGo(connecting);
    // No client has the id, so it need not stay taken: a refused request must not leave a
    // tombstone.
    await session.end({ keepId: false }).catch(this.#context.onError);
  }

  /** Closes a server that is not needed any more, even if it is not made yet. */
  #letGo(connecting: Promise<ConnectedServer>): void {
    // The request that waited for it reports its failure.
    connecting
      .then(
        ({ local }) => local.close(),
        () => undefined,
      )
      .catch(this.#context.onError);
  }

  #limit(): TimeLimit {
    const { setupTimeoutMs, onError } = this.#context;
    return new TimeLimit(setupTimeoutMs, () => {
      onError(new Error(`Server of a session was not ready within setupTimeoutMs, ${setupTimeoutMs} ms`));
      return notReady();
    });
  }

  #extra({ request, authInfo }: Caller): unknown {
    return this.#sdk.messageExtra({ request, authInfo, closeStream: undefined, closeStandaloneStream: undefined });
  }
}

/** The value as JSON has it. @throws SessionError `PROFILE_TOO_LARGE`. HttpError 400 */
function asJson(value: object, maxBytes = Number.POSITIVE_INFINITY): JsonValue {
  try {
    const text = JSON.stringify(value);
    if (Buffer.byteLength(text) > maxBytes) {
      throw new SessionError('PROFILE_TOO_LARGE', `Parameters of initialize exceed ${maxBytes} bytes`);
    }
    return JSON.parse(text) as JsonValue;
  } catch (error) {
    if (error instanceof SessionError) throw error;
    // The value came as JSON. If it cannot be written again, it is nested deeper than the stack.
    throw new HttpError(400, 'Invalid Request: message is nested too deeply', INVALID_REQUEST);
  }
}
