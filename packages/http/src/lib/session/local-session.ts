import { SessionError } from '@mcp-session/core';
import { isCancellation, isNotification, type JsonRpcMessage } from '../protocol/json-rpc.ts';
import { StandaloneStream } from '../standalone/standalone-stream.ts';
import type { PlatformSessions } from '../store/platform-sessions.ts';
import type { AnySession } from '../store/session-handle.ts';
import { Connections } from '../stream/connections.ts';
import { type ComeBack, lastFrame } from '../stream/retry.ts';
import { STANDALONE_STREAM } from '../stream/stream-ids.ts';
import { Attendance, type AttendanceContext } from './attendance.ts';
import { Inbox } from './inbox.ts';
import { ListsSync, type ListsSyncContext } from './lists-sync.ts';
import type { NodeContext } from './node-context.ts';
import type { ServerLike } from './sdk-adapter.ts';
import { ServerRequestIds } from './server-request-ids.ts';
import { SettingsSync } from './settings-sync.ts';
import { SessionTransport } from './transport.ts';

export interface LocalSessionContext extends NodeContext, ListsSyncContext, AttendanceContext {
  /**
   * How long a session lives after its last use, in milliseconds; `undefined`: as the store says.
   */
  readonly sessionTtlMs: number | undefined;
  readonly platformSessions: Pick<PlatformSessions, 'renew'>;
  /** Called once for each session, when it is closed on this node. */
  readonly onClosed: (local: LocalSession) => void;
}

/**
 * A session that this node has in memory: its server, and everything between the server, the
 * client's connections here and the session's log.
 *
 * The constructor builds all parts, in the order of their dependencies, and passes each part what
 * it calls. The transport calls the inbox, which is built after it, through a function.
 */
export class LocalSession {
  readonly session: AnySession;
  readonly transport: SessionTransport;
  readonly inbox: Inbox;
  readonly connections: Connections;
  readonly standalone: StandaloneStream;
  readonly settings: SettingsSync;
  readonly lists: ListsSync;
  readonly attendance: Attendance;
  readonly #server: ServerLike;
  readonly #context: LocalSessionContext;
  #pins = 0;
  #closing: Promise<void> | undefined;
  #ended = false;
  #isDeleting = false;
  #closingFrame: string | undefined;
  /** When it was last busy, by `performance.now()`. */
  lastUsedAt: number = performance.now();

  constructor(session: AnySession, server: ServerLike, context: LocalSessionContext) {
    this.session = session;
    this.#server = server;
    this.#context = context;
    this.connections = new Connections(session, context, {
      onIdle: () => void this.#renew(),
      onClosed: (streamId) => {
        this.#used();
        this.attendance.left(streamId);
      },
      onSessionEnded: () => void this.close('never'),
    });
    this.standalone = new StandaloneStream(session, this.connections, context);
    this.transport = new SessionTransport(session.id, new ServerRequestIds(context.nodeId), {
      append: (message) => this.#appendStandalone(message),
      onServerRequest: () => this.inbox.watch(true),
      // The server may close its transport itself, at any time.
      onClosed: () => queueMicrotask(() => void this.close()),
    });
    this.inbox = new Inbox({
      ...context,
      session,
      transport: this.transport,
      onBusy: () => this.#holdLease(),
      onAttended: (streamId) => this.attendance.reported(streamId),
      onSessionEnded: () => void this.close('never'),
    });
    this.attendance = new Attendance({
      ...context,
      session,
      transport: this.transport,
      isConnected: (streamId) => this.connections.has(streamId),
      onAppended: (eventId) => this.inbox.appended(eventId),
    });
    this.settings = new SettingsSync(session, this.transport, context);
    this.lists = new ListsSync(session, context, context.onError, (eventId) => this.inbox.appended(eventId));
  }

  get closed(): boolean {
    return this.#closing !== undefined;
  }

  /** Whether this node closed it because the session has ended or expired. */
  get ended(): boolean {
    return this.#ended;
  }

  /** The last frame of its connections; `undefined`: it is not closed. */
  get closingFrame(): string | undefined {
    return this.#closingFrame;
  }

  /**
   * True while the session must stay in memory: a request is in flight, a handler is running, or a
   * client is connected.
   */
  get busy(): boolean {
    return this.#pins > 0 || this.connections.size > 0 || this.transport.busy;
  }

  /** Keeps the session in memory until the returned function is called. */
  pin(): () => void {
    this.#pins++;
    return () => {
      this.#pins--;
      this.#used();
    };
  }

  /** Whether a handler of this node may still send on the stream. */
  isRunning(streamId: string): boolean {
    return this.transport.open.isRunning(streamId);
  }

  /**
   * Evicts the session from this node: closes its server (which aborts the handlers), and then its
   * connections. The session itself stays in the store.
   *
   * @param comeBack When clients reconnect.
   * @param lastWords Awaited after the handlers were aborted and before the connections are closed.
   */
  close(comeBack: ComeBack = 'soon', lastWords?: () => Promise<void>): Promise<void> {
    if (this.#closing === undefined) {
      this.#ended = comeBack === 'never';
      this.#closingFrame = lastFrame(comeBack, this.#context);
      this.#closing = this.#close(comeBack, lastWords);
      if (this.#ended) this.#context.journal.ended(this.session, this.#isDeleting ? 'deleted' : 'gone');
    }
    return this.#closing;
  }

  /** Ends the session for its client. @returns `false`: it had ended before. */
  async end(): Promise<boolean> {
    // Its own readers may notice the end before this call returns.
    this.#isDeleting = true;
    try {
      const hasEnded = await this.session.end();
      if (hasEnded) await this.close('never');
      return hasEnded;
    } finally {
      this.#isDeleting = false;
    }
  }

  async #close(comeBack: ComeBack, lastWords: (() => Promise<void>) | undefined): Promise<void> {
    this.connections.seal();
    this.standalone.seal();
    this.#context.onClosed(this);
    try {
      await this.#server.close();
    } catch (error) {
      this.#context.onError(error);
    }
    await this.transport.close();
    if (lastWords !== undefined) {
      await lastWords();
      await this.connections.flush();
    }
    this.connections.closeAll(comeBack);
    await this.standalone.released();
  }

  /**
   * Sends a request of the server, or the cancellation of one, for a call whose client reads no
   * stream: on the standalone stream.
   *
   * @param hasListener Whether the stream was open on some node when the call came.
   * @throws Error if the stream is not open: nobody would answer.
   */
  async sendAside(message: JsonRpcMessage, hasListener: boolean): Promise<void> {
    if (!isCancellation(message) && !hasListener && !this.connections.has(STANDALONE_STREAM)) {
      throw new Error('Client cannot be asked: it reads the answer to its call as JSON, and has no stream open');
    }
    await this.#appendStandalone(message);
  }

  /** Stores a message that belongs to no request. */
  async #appendStandalone(message: JsonRpcMessage): Promise<void> {
    const { health, onError } = this.#context;
    try {
      const id = await health.write(
        () => this.session.events.append(STANDALONE_STREAM, message),
        (error) => {
          if (!this.connections.push(STANDALONE_STREAM, message)) throw error;
        },
      );
      if (id !== undefined) this.inbox.appended(id);
    } catch (error) {
      if (!isNotification(message)) throw error;
      // Both SDK lines ignore this promise (McpServer.sendToolListChanged), and an unhandled
      // rejection ends the process.
      if (error instanceof SessionError && error.code === 'SESSION_NOT_FOUND') void this.close('never');
      else onError(error);
    }
  }

  #used(): void {
    this.lastUsedAt = performance.now();
  }

  #holdLease(): () => void {
    const done = this.#context.lease.begin();
    return () => {
      done();
      this.#used();
    };
  }

  /**
   * Call it for each use: a platform's id leads to the session for as long as the session lives.
   */
  async keepPlatformId(): Promise<void> {
    const { health, platformSessions, onError } = this.#context;
    if (!health.failing) await platformSessions.renew(this.session).catch(onError);
  }

  async #renew(): Promise<void> {
    try {
      await this.#context.health.write(() => this.session.touch());
      await this.keepPlatformId();
    } catch (error) {
      if (error instanceof SessionError && error.code === 'SESSION_NOT_FOUND') await this.close('never');
      else this.#context.onError(error);
    }
  }
}
