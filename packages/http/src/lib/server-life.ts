import { SessionError, type JsonValue, type Session, type SessionStore, type StateSchemas } from '@mcp-session/core';
import { HttpError } from './http-errors.ts';
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
import { STANDALONE_STREAM } from './streams.ts';
import { SessionTransport } from './transport.ts';

/** Whose request it is that begins or restores a session. */
export interface Caller<AuthInfo> {
  readonly request: Request;
  readonly authInfo: AuthInfo | undefined;
}

/** Begins sessions and brings them back: makes a server, connects it, and has it initialized, with the SDK's public API alone. */
export class ServerLife<Server extends ServerLike, AuthInfo extends AuthFacts, S extends StateSchemas> {
  readonly #sdk: Sdk<Server, AuthInfo>;
  readonly #options: SessionHandlerOptions<Server, AuthInfo, S>;
  readonly #settings: LocalSettings;
  #instances = 0;

  constructor(
    sdk: Sdk<Server, AuthInfo>,
    options: SessionHandlerOptions<Server, AuthInfo, S>,
    settings: LocalSettings,
  ) {
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
    let local: LocalSession<Server> | undefined;
    try {
      // Gives the standalone stream a beginning, so that every client has a cursor from the first moment on.
      const standaloneCursor = await session.events.append(STANDALONE_STREAM, {});
      local = await this.#connect(session, false, caller);
      const response = await local.transport.call(initialize, this.#extra(caller));
      const result = response.result as
        | { readonly protocolVersion?: unknown; readonly capabilities?: unknown }
        | undefined;
      if (typeof result?.protocolVersion !== 'string') {
        await this.#discard(session, local);
        return { response, local: undefined };
      }
      const { protocolVersion } = result;
      const serverCapabilities = asJson(result.capabilities ?? {});
      await session.updateProtocol((facts) => ({ ...facts, protocolVersion, serverCapabilities, standaloneCursor }));
      local.mark.refresh(session.protocol);
      return { response, local };
    } catch (error) {
      await this.#discard(session, local);
      throw error;
    }
  }

  /** Brings back a session that was begun by another instance. */
  async restore(session: Session<S>, caller: Caller<AuthInfo>): Promise<LocalSession<Server>> {
    const local = await this.#connect(session, true, caller);
    try {
      await local.transport.quietly(() => this.#replay(local, this.#extra(caller)));
      await this.#options.onRestore?.({ session, server: local.server });
      // Restoring it again would go the same way.
      if (local.transport.closed)
        throw new HttpError(500, 'Server closed itself while it was restored', INTERNAL_ERROR);
      return local;
    } catch (error) {
      await local.close();
      throw error;
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
    const ids = new OutgoingIds(`${this.#settings.nodeId}.${++this.#instances}`);
    const transport = new SessionTransport(session.id, ids, async (streamId, message) => {
      try {
        await session.events.append(streamId, message);
      } catch (error) {
        if (streamId !== STANDALONE_STREAM || !isNotification(message)) throw error;
        // Both SDK lines let go of such promises (McpServer.sendToolListChanged), and a rejection that nobody handles ends the process.
        if (error instanceof SessionError && error.code === 'SESSION_NOT_FOUND') void local.close(false);
        else this.#settings.onError(error);
      }
    });
    const local = new LocalSession(session, server, transport, this.#settings);
    await this.#sdk.connect(server, transport);
    return local;
  }

  /** Tells a new server what the one before it was told. */
  async #replay({ session, transport }: LocalSession<Server>, extra: unknown): Promise<void> {
    const { initializeParams, initialized, logLevel, subscriptions = [] } = session.protocol;
    const call = async (method: string, params: Readonly<Record<string, unknown>>): Promise<JsonRpcResponse> =>
      transport.call({ jsonrpc: '2.0', id: `restore-${method}`, method, params }, extra);

    const { error } = await call('initialize', initializeParams as Readonly<Record<string, unknown>>);
    if (error !== undefined) throw new HttpError(500, 'Server refused to restore the session', INTERNAL_ERROR);
    if (initialized === true) transport.notify({ jsonrpc: '2.0', method: 'notifications/initialized' }, extra);
    const answers = await Promise.all([
      ...(logLevel === undefined ? [] : [call('logging/setLevel', { level: logLevel })]),
      ...subscriptions.map((uri) => call('resources/subscribe', { uri })),
    ]);
    for (const answer of answers)
      if (answer.error !== undefined)
        this.#settings.onError(new Error(`Restored server refused what it had accepted: ${answer.error.message}`));
    // What the server says at once when it hears of `initialized` was said before, and belongs to this turn.
    await new Promise(setImmediate);
  }

  async #discard(session: Session<S>, local: LocalSession<Server> | undefined): Promise<void> {
    await local?.close();
    await session.end().catch(this.#settings.onError);
  }

  #extra({ request, authInfo }: Caller<AuthInfo>): unknown {
    return this.#sdk.messageExtra({ request, authInfo, closeStream: undefined, closeStandaloneStream: undefined });
  }
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
