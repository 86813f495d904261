import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import type { Connection, Statement } from './connection.ts';
import { Listener } from './hints/listener.ts';
import { textArray } from './literals.ts';
import { table } from './schema.ts';
import { Seal } from './hints/seal.ts';

/**
 * Maximum bytes of ids in one notification. Sealed and in base64 they grow by a third, and
 * PostgreSQL refuses payloads of 8,000 bytes.
 */
const MAX_TEXT_BYTES = 5_800;
/**
 * How long hints are collected, in milliseconds: a sender joins those of all sessions in the next
 * notification, a receiver passes on one per session.
 */
const PAUSE_MS = 5;
/** Pause before the next attempt to read the secret, in milliseconds. */
const RETRY_MS = 1_000;

type OnHint = (sessionId: string) => void;

/**
 * Tells other nodes by NOTIFY which sessions have new events or have ended, and listens for the
 * same. A notification carries only sealed ids; receivers read the log. A node ignores its own
 * notifications.
 */
export class Hints {
  readonly #connection: Connection;
  readonly #mode: 'auto' | 'on' | 'off';
  readonly #statements: ReturnType<typeof prepare>;
  /** Identifies this backend among all that use the tables. */
  readonly #node: string = randomUUID();
  #seal: Promise<Seal> | undefined;
  /** Ids that the next notification carries. */
  readonly #unsent = new Set<string>();
  #sending: Promise<void> | undefined;
  /** Ends the pause between two notifications early. */
  #endPause: (() => void) | undefined;
  #closing = false;
  #staysListening = false;
  readonly #watchers = new Set<OnHint>();
  #listening: { readonly listener: Listener; readonly started: Promise<void> } | undefined;
  /** The sessions whose hint was passed on in this pause, and whether another hint came since. */
  readonly #passedOn = new Map<string, boolean>();
  #pauseTimer: NodeJS.Timeout | undefined;

  constructor(connection: Connection, mode: 'auto' | 'on' | 'off') {
    this.#connection = connection;
    this.#mode = mode;
    this.#statements = prepare(connection);
  }

  get enabled(): boolean {
    return this.#mode !== 'off';
  }

  /**
   * Sends a hint, after the commit and not in it: a commit that notifies takes a lock on the whole
   * database (PreCommit_Notify in PostgreSQL's async.c). The first hint goes at once. Hints that
   * come while it is sent, and for a moment after, share the next notification. Otherwise a busy
   * node would send one for each append, which takes half of the server's time.
   */
  send(sessionId: string): void {
    if (!this.enabled) return;
    this.#unsent.add(sessionId);
    this.#sending ??= this.#sendAll();
  }

  /**
   * Starts to listen, and stays at it.
   *
   * @returns Whether notifications were seen to arrive, so far.
   */
  listensAlone(): boolean {
    if (this.#mode !== 'auto' || this.#closing) return false;
    this.#staysListening = true;
    this.#listening ??= this.#listen();
    return this.#listening.listener.hasArrived;
  }

  async watch(onHint: OnHint): Promise<() => Promise<void>> {
    // The same function may watch twice.
    const watcher: OnHint = (sessionId) => onHint(sessionId);
    this.#watchers.add(watcher);
    this.#listening ??= this.#listen();
    await this.#listening.started;
    return async () => {
      this.#watchers.delete(watcher);
      if (this.#watchers.size === 0 && !this.#staysListening) await this.#unlisten();
    };
  }

  /** Sends the remaining hints and stops listening. */
  async close(): Promise<void> {
    this.#watchers.clear();
    this.#closing = true;
    this.#endPause?.();
    await this.#sending;
    await this.#unlisten();
    clearTimeout(this.#pauseTimer);
  }

  async #sendAll(): Promise<void> {
    // Hints of the same turn of the event loop go together.
    await Promise.resolve();
    while (this.#unsent.size > 0) {
      const texts = join(this.#unsent);
      this.#unsent.clear();
      // A lost hint costs a tail one poll.
      await this.#notify(texts).catch(() => undefined);
      if (!this.#closing) await this.#pause();
    }
    this.#sending = undefined;
  }

  async #notify(texts: readonly string[]): Promise<void> {
    const seal = await this.#readSeal();
    const payloads = textArray(texts.map((text) => seal.seal(text)));
    await this.#statements.notify({ channel: seal.channel, payloads });
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, PAUSE_MS).unref();
      this.#endPause = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Reads the secret once. After a failure, all hints of a second share the failed attempt. */
  #readSeal(): Promise<Seal> {
    if (this.#seal !== undefined) return this.#seal;
    this.#seal = this.#statements.secret({}).then(([row]) => {
      if (row === undefined) throw new Error('The table of secrets has no secret for hints');
      return new Seal(row.value, this.#node);
    });
    this.#seal.catch(() => setTimeout(() => (this.#seal = undefined), RETRY_MS).unref());
    return this.#seal;
  }

  #listen(): { readonly listener: Listener; readonly started: Promise<void> } {
    const listener = new Listener(this.#connection, {
      verifies: this.#mode === 'auto',
      seal: () => this.#readSeal(),
      notify: async (channel, payload) =>
        void (await this.#statements.notify({ channel, payloads: textArray([payload]) })),
      receive: (text) => {
        for (const id of text.split(' ')) this.#receive(id);
      },
    });
    return { listener, started: listener.start() };
  }

  async #unlisten(): Promise<void> {
    const listening = this.#listening;
    this.#listening = undefined;
    await listening?.listener.stop();
  }

  /**
   * Passes on the first hint of a session at once, and all that come in the pause after it as one,
   * so that other nodes cannot make this one read without end.
   */
  #receive(sessionId: string): void {
    if (this.#passedOn.has(sessionId)) {
      this.#passedOn.set(sessionId, true);
      return;
    }
    this.#passedOn.set(sessionId, false);
    this.#pauseTimer ??= setTimeout(() => {
      const again = [...this.#passedOn].filter(([, more]) => more);
      this.#passedOn.clear();
      this.#pauseTimer = undefined;
      for (const [id] of again) this.#receive(id);
    }, PAUSE_MS).unref();
    for (const watcher of this.#watchers) watcher(sessionId);
  }
}

function prepare(connection: Connection) {
  const notify: Statement<{ readonly channel: string; readonly payloads: string }, unknown> = connection.reading(
    (_, { channel, payloads }: { readonly channel: string; readonly payloads: string }) =>
      sql`select pg_notify(${channel}, payload) from unnest(${payloads}::text[]) as payload`,
  );
  return {
    notify,
    secret: connection.reading(() => sql<{ value: string }>`select value from ${table.secrets} where name = 'hints'`),
  };
}

/** Joins ids by spaces into as few texts as possible. Ids contain no spaces. */
function join(ids: ReadonlySet<string>): readonly string[] {
  const texts: string[] = [];
  let text = '';
  for (const id of ids) {
    if (text.length + 1 + id.length > MAX_TEXT_BYTES) {
      texts.push(text);
      text = '';
    }
    text += text === '' ? id : ` ${id}`;
  }
  return [...texts, text];
}
