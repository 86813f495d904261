import { createHash } from 'node:crypto';
import type { JsonRpcRequest, JsonRpcResponse } from '../protocol/json-rpc.ts';
import type { AnySession } from '../store/session-handle.ts';
import { type KnownServer, type SessionFacts, updateFacts } from '../store/session-record.ts';
import { STANDALONE_STREAM } from '../stream/stream-ids.ts';

/** The lists of a server, by the capability that declares them. */
const LISTS = ['tools', 'prompts', 'resources'] as const;
/**
 * How long an older handler leaves the record to a newer one, in milliseconds. A deploy is over by
 * then; if the older one still serves the session, it is here to stay.
 */
const YIELD_MS = 600_000;
const IS_LIST = /^(?:tools|prompts|resources|resources\/templates)\/list$/;

export interface ListsSyncContext {
  /** When this handler started, in Unix milliseconds. */
  readonly startedAt: number;
  /** The option of this name. */
  readonly revision: string | undefined;
}

/** A server as it presents itself in its response to `initialize`. */
interface PresentedServer {
  readonly fingerprint: string;
  readonly capabilities: Readonly<Record<string, unknown>>;
}

/**
 * Makes a client fetch its lists of tools, prompts and resources again when another version of the
 * server takes over its session (docs/decisions/061-which-server-a-client-knows.md).
 *
 * The session's record names the server that its client knows. Each node compares its own server
 * with the record, which every request reads anyway:
 *
 * | this node's server                            | what happens                                     |
 * | --------------------------------------------- | ------------------------------------------------ |
 * | the recorded one                              | nothing                                          |
 * | the recorded one, and lists are stale         | lists are current; the client is notified        |
 * | another, of a newer handler                   | it is recorded; the client is notified           |
 * | another, of an older handler, for ten minutes | a list that it answers makes lists stale         |
 * | another, of an older handler, after that      | it is recorded; the client is notified           |
 *
 * The record changes by compare-and-set, so that one node notifies the client. While nodes of two
 * versions serve a session, an older handler does not take the record back, and so the versions do
 * not take turns.
 */
export class ListsSync {
  readonly #session: AnySession;
  readonly #context: ListsSyncContext;
  readonly #onError: (error: unknown) => void;
  /** Is called with the id of each event that was stored. */
  readonly #onAppended: (eventId: string) => void;
  #own: PresentedServer | undefined;
  /** What the session's record held at the last request. */
  #known: KnownServer | undefined;

  constructor(
    session: AnySession,
    context: ListsSyncContext,
    onError: (error: unknown) => void,
    onAppended: (eventId: string) => void,
  ) {
    this.#session = session;
    this.#context = context;
    this.#onError = onError;
    this.#onAppended = onAppended;
  }

  /**
   * Takes the result of this server's `initialize`.
   *
   * @returns What the record of a new session holds.
   */
  present(result: unknown): KnownServer {
    const { revision, startedAt } = this.#context;
    const { serverInfo, capabilities, instructions } = (result ?? {}) as Readonly<Record<string, unknown>>;
    const fingerprint = fingerprintOf(revision ?? { serverInfo, capabilities, instructions });
    this.#own = { fingerprint, capabilities: (capabilities ?? {}) as PresentedServer['capabilities'] };
    this.#known = { fingerprint, startedAt, recordedAt: Date.now(), isListStale: false };
    return this.#known;
  }

  /**
   * Notifies the client if it knows another server than this one. A failure is reported, and the
   * next request tries again.
   *
   * @param facts The session's facts as they are now.
   */
  async sync({ record }: SessionFacts): Promise<void> {
    this.#known = record.server;
    const own = this.#own;
    if (own === undefined || !this.#isNews(own, record.server)) return;
    try {
      if (await this.#record(own)) await this.#notify(own);
    } catch (error) {
      this.#onError(error);
    }
  }

  /** Notes that this server has answered a request: its client may have an outdated list now. */
  async answered({ method }: JsonRpcRequest, { error }: JsonRpcResponse): Promise<void> {
    const [own, known] = [this.#own, this.#known];
    if (error !== undefined || !IS_LIST.test(method) || own === undefined || known === undefined) return;
    if (known.fingerprint === own.fingerprint || known.isListStale) return;
    await this.#markStale();
  }

  #isNews({ fingerprint }: PresentedServer, known: KnownServer | undefined): boolean {
    if (known === undefined) return true;
    if (known.fingerprint === fingerprint) return known.isListStale;
    return this.#context.startedAt > known.startedAt || Date.now() >= known.recordedAt + YIELD_MS;
  }

  /** @returns Whether this node is the one to notify the client. */
  async #record(own: PresentedServer): Promise<boolean> {
    let won = false;
    const { record } = await updateFacts(this.#session, (current) => {
      const known = current.record.server;
      won = this.#isNews(own, known);
      if (!won) return current;
      const startedAt = Math.max(this.#context.startedAt, known?.startedAt ?? 0);
      const server = { fingerprint: own.fingerprint, startedAt, recordedAt: Date.now(), isListStale: false };
      return { protocol: current.protocol, record: { ...current.record, server } };
    });
    this.#known = record.server;
    return won;
  }

  async #notify({ capabilities }: PresentedServer): Promise<void> {
    const { events } = this.#session;
    const changed = LISTS.filter((list) => capabilities[list] !== undefined).map((list) => ({
      jsonrpc: '2.0',
      method: `notifications/${list}/list_changed`,
    }));
    try {
      // Calls of one turn of the event loop are one commit.
      const ids = await Promise.all(changed.map((message) => events.append(STANDALONE_STREAM, message)));
      for (const id of ids) this.#onAppended(id);
    } catch (error) {
      await this.#markStale();
      throw error;
    }
  }

  async #markStale(): Promise<void> {
    try {
      const { record } = await updateFacts(this.#session, ({ protocol, record: current }) => ({
        protocol,
        record: { ...current, server: current.server && { ...current.server, isListStale: true } },
      }));
      this.#known = record.server;
    } catch (error) {
      this.#onError(error);
    }
  }
}

/** Equal for equal values, whatever the order of their properties. */
function fingerprintOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value, sorted)).digest('base64url').slice(0, 16);
}

function sorted(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
