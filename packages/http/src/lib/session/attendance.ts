import { cancellation, errorResponse, SERVER_ERROR } from '../protocol/json-rpc.ts';
import type { StoreHealth } from '../store/health.ts';
import type { AnySession } from '../store/session-handle.ts';
import { NODES_STREAM } from '../stream/stream-ids.ts';
import type { RunningRequest } from './open-requests.ts';
import type { SessionTransport } from './transport.ts';

/** The event by which a node tells the node that runs a request that its client is there. */
interface Attended {
  /** The stream that the client follows. */
  readonly attended: string;
}

/** The stream whose client another node sees; `undefined`: the event is about something else. */
export function attendedBy(event: unknown): string | undefined {
  return (event as Partial<Attended> | null)?.attended;
}

/** How many times in `abandonAfterMs` a node looks for clients, and reports those that it sees. */
const LOOKS = 4;

export interface AttendanceContext {
  /** How long a client may be away, in milliseconds; `undefined`: forever. */
  readonly abandonAfterMs: number | undefined;
}

export interface AttendanceOptions extends AttendanceContext {
  readonly session: AnySession;
  readonly transport: Pick<SessionTransport, 'open' | 'cancel'>;
  /** Whether the client has a connection for this stream on this node. */
  readonly isConnected: (streamId: string) => boolean;
  readonly health: Pick<StoreHealth, 'failing'>;
  readonly onAppended: (eventId: string) => void;
  readonly onError: (error: unknown) => void;
  /** A clock in milliseconds. Default: `performance.now`. */
  readonly now?: () => number;
}

/**
 * Abandons requests whose clients have gone (option `abandonAfterMs`): stores an error as their
 * response and cancels them, which aborts their handlers.
 *
 * A client is there while it has a connection for the request's stream, on any node. A node that
 * does not run the request reports the client on the nodes' stream of the log, and the node that
 * runs it reads that. A client that polls is there each time, and the time begins anew. So does it
 * if this node cannot know: while the store fails, and after its event loop was blocked.
 */
export class Attendance {
  readonly #options: AttendanceOptions;
  readonly #now: () => number;
  /** When the client of each stream was last there. */
  readonly #seenAt = new Map<string, number>();
  #lookedAt = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: AttendanceOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /** A request whose client is there starts on this stream. */
  begin(streamId: string): void {
    const { abandonAfterMs } = this.#options;
    if (abandonAfterMs === undefined) return;
    this.#seenAt.set(streamId, this.#now());
    if (this.#timer !== undefined) return;
    this.#lookedAt = this.#now();
    this.#timer = setInterval(() => this.look(), Math.ceil(abandonAfterMs / LOOKS)).unref();
  }

  /** The client had a connection on this node until now. */
  left(streamId: string): void {
    if (this.#seenAt.has(streamId)) this.#seenAt.set(streamId, this.#now());
  }

  /**
   * Another node reports the client. It reports it again at its next look, or the client leaves.
   */
  reported(streamId: string): void {
    const { abandonAfterMs = 0 } = this.#options;
    if (this.#seenAt.has(streamId)) this.#seenAt.set(streamId, this.#now() + abandonAfterMs / LOOKS);
  }

  /** Reports a client to the node that runs its request, until the connection is over. */
  report(streamId: string, over: AbortSignal): void {
    const { abandonAfterMs } = this.#options;
    if (abandonAfterMs === undefined || over.aborted) return;
    const timer = setInterval(() => void this.#report(streamId), Math.ceil(abandonAfterMs / LOOKS)).unref();
    over.addEventListener('abort', () => clearInterval(timer), { once: true });
    void this.#report(streamId);
  }

  /** Abandons the requests whose clients have been away for too long. */
  look(): void {
    const { transport, isConnected, health, abandonAfterMs = Number.POSITIVE_INFINITY } = this.#options;
    const now = this.#now();
    const isUnknown = health.failing || now - this.#lookedAt > (2 * abandonAfterMs) / LOOKS;
    this.#lookedAt = now;
    for (const [streamId, seenAt] of this.#seenAt) {
      if (!transport.open.isRunning(streamId)) this.#seenAt.delete(streamId);
      else if (isUnknown || isConnected(streamId)) this.#seenAt.set(streamId, now);
      else if (now - seenAt >= abandonAfterMs) {
        this.#seenAt.delete(streamId);
        const running = transport.open.ofClient().filter(({ stream }) => stream.streamId === streamId);
        for (const request of running) void this.#abandon(request, `Client was away for ${abandonAfterMs} ms`);
      }
    }
    if (this.#seenAt.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** The first response in the log counts, so a handler that answers meanwhile changes nothing. */
  async #abandon({ id, stream }: RunningRequest, why: string): Promise<void> {
    const answer = errorResponse(id, SERVER_ERROR, `Request was abandoned: ${why}`);
    try {
      await stream.append(answer, true);
    } catch (error) {
      stream.settleLater(answer);
      this.#options.onError(error);
    }
    this.#options.transport.cancel(cancellation(id, why), id, undefined, undefined, stream);
  }

  async #report(streamId: string): Promise<void> {
    const attended: Attended = { attended: streamId };
    try {
      this.#options.onAppended(await this.#options.session.events.append(NODES_STREAM, attended, { renew: false }));
    } catch (error) {
      this.#options.onError(error);
    }
  }
}
