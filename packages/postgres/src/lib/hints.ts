import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import type { Connection, Statement } from './connection.ts';
import { Listener } from './hints/listener.ts';
import { textArray } from './literals.ts';
import { table } from './schema.ts';
import { Seal } from './hints/seal.ts';

/** Bytes of ids that one notification carries: sealed and in base64 it has a third more, and PostgreSQL refuses payloads of 8,000 bytes. */
const MAX_TEXT_BYTES = 5_800;
/** How long what moves after a hint waits to go together in the next one, in milliseconds: of all sessions where it is sent, of one where it is received. */
const PAUSE_MS = 5;
/** How long nothing is sent after the secret could not be read, in milliseconds. */
const RETRY_MS = 1_000;

type OnHint = (sessionId: string) => void;

/**
 * Tells other nodes by NOTIFY which sessions have moved, and hears of it by LISTEN. What is sent are ids alone, sealed: nothing is ever taken from
 * a notification but that it is worth to look. A node is not told of what it has moved itself: it knows, and would read its log for nothing.
 */
export class Hints {
  readonly #connection: Connection;
  readonly #mode: 'auto' | 'on' | 'off';
  readonly #statements: ReturnType<typeof prepare>;
  /** Stands for this backend among all that use the tables. */
  readonly #node: string = randomUUID();
  #seal: Promise<Seal> | undefined;
  readonly #waiting = new Set<string>();
  #sending: Promise<void> | undefined;
  /** Ends the pause between two notifications. */
  #hurry: (() => void) | undefined;
  #closing = false;
  readonly #watchers = new Set<OnHint>();
  #listener: { readonly it: Listener; readonly begun: Promise<void> } | undefined;
  /** The sessions of which a hint came within the pause, and whether another one came since. */
  readonly #told = new Map<string, boolean>();
  #tellAgain: NodeJS.Timeout | undefined;

  constructor(connection: Connection, mode: 'auto' | 'on' | 'off') {
    this.#connection = connection;
    this.#mode = mode;
    this.#statements = prepare(connection);
  }

  get enabled(): boolean {
    return this.#mode !== 'off';
  }

  /**
   * Sends hints, after the commit and not as part of it: a commit that notifies takes a lock on the whole database
   * (PreCommit_Notify in PostgreSQL's async.c). The first one goes at once. What moves while it is under way, and for a moment after, goes together in the next one: a node
   * that appends without a pause would else send as many notifications as events, and have half of the server's time for its appends.
   */
  moved(sessionId: string): void {
    if (!this.enabled) return;
    this.#waiting.add(sessionId);
    this.#sending ??= this.#send();
  }

  async watch(onHint: OnHint): Promise<() => Promise<void>> {
    // A function that was given twice counts twice.
    const watcher: OnHint = (sessionId) => onHint(sessionId);
    this.#watchers.add(watcher);
    this.#listener ??= this.#listen();
    await this.#listener.begun;
    return async () => {
      this.#watchers.delete(watcher);
      if (this.#watchers.size === 0) await this.#unlisten();
    };
  }

  /** Sends what waits and listens no more. */
  async close(): Promise<void> {
    this.#watchers.clear();
    this.#closing = true;
    this.#hurry?.();
    await this.#sending;
    await this.#unlisten();
    clearTimeout(this.#tellAgain);
  }

  async #send(): Promise<void> {
    // What moves in the same turn goes together.
    await Promise.resolve();
    while (this.#waiting.size > 0) {
      const texts = join(this.#waiting);
      this.#waiting.clear();
      // A hint that is lost costs a tail one poll.
      await this.#notify(texts).catch(() => undefined);
      if (!this.#closing) await this.#pause();
    }
    this.#sending = undefined;
  }

  async #notify(texts: readonly string[]): Promise<void> {
    const seal = await this.#sealed();
    const payloads = textArray(texts.map((text) => seal.close(text)));
    await this.#statements.notify({ channel: seal.channel, payloads });
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, PAUSE_MS).unref();
      this.#hurry = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Where the secret cannot be read, it is tried again, but not by every hint. */
  #sealed(): Promise<Seal> {
    if (this.#seal !== undefined) return this.#seal;
    this.#seal = this.#statements.secret({}).then(([row]) => {
      if (row === undefined) throw new Error('There is no secret');
      return new Seal(row.value, this.#node);
    });
    this.#seal.catch(() => setTimeout(() => (this.#seal = undefined), RETRY_MS).unref());
    return this.#seal;
  }

  #listen(): { readonly it: Listener; readonly begun: Promise<void> } {
    const it = new Listener(this.#connection, {
      proves: this.#mode === 'auto',
      seal: () => this.#sealed(),
      notify: async (channel, payload) =>
        void (await this.#statements.notify({ channel, payloads: textArray([payload]) })),
      hear: (text) => {
        for (const id of text.split(' ')) this.#hear(id);
      },
    });
    return { it, begun: it.start() };
  }

  async #unlisten(): Promise<void> {
    const listener = this.#listener;
    this.#listener = undefined;
    await listener?.it.stop();
  }

  /** Passes on the first hint of a session at once, and all that come in the pause after it as one: what others send must not make a node read without end. */
  #hear(sessionId: string): void {
    if (this.#told.has(sessionId)) {
      this.#told.set(sessionId, true);
      return;
    }
    this.#told.set(sessionId, false);
    this.#tellAgain ??= setTimeout(() => {
      const again = [...this.#told].filter(([, more]) => more);
      this.#told.clear();
      this.#tellAgain = undefined;
      for (const [id] of again) this.#hear(id);
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

/** Joins ids to as few texts as hold them: ids hold no spaces. */
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
