import { createHash, randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import type { Connection, Statement } from './connection.ts';
import { textArray } from './literals.ts';

/** PostgreSQL refuses payloads of 8,000 bytes and more. */
const MAX_PAYLOAD_BYTES = 7_900;
/** How long a notification to ourselves may take before we take it that none comes through, in milliseconds. */
const PROOF_TIMEOUT_MS = 5_000;
/** How long what moves after a notification waits to go together in the next one, in milliseconds. */
const PAUSE_MS = 5;

type OnHint = (sessionId: string) => void;

/**
 * Tells other nodes by NOTIFY which sessions have moved, and hears of it by LISTEN. What is sent are ids alone: nothing is ever taken from
 * a notification but that it is worth to look. A node is not told of what it has moved itself: it knows, and would read its log for nothing.
 */
export class Hints {
  readonly #connection: Connection;
  readonly #mode: 'auto' | 'on' | 'off';
  readonly #channel: string;
  readonly #notify: Statement<{ readonly channel: string; readonly payloads: string }, unknown>;
  /** Stands for this backend among all that use the tables. */
  readonly #node: string = randomUUID();
  readonly #waiting = new Set<string>();
  #sending: Promise<void> | undefined;
  /** Ends the pause between two notifications. */
  #hurry: (() => void) | undefined;
  #closing = false;
  readonly #watchers = new Set<OnHint>();
  #listening: Promise<{ unlisten(): Promise<void> } | undefined> | undefined;
  #proof: { readonly payload: string; readonly arrived: () => void } | undefined;
  #warned = false;

  constructor(connection: Connection, mode: 'auto' | 'on' | 'off') {
    this.#connection = connection;
    this.#mode = mode;
    const place = createHash('sha256').update(`${connection.schema}\0${connection.tablePrefix}`).digest('hex');
    this.#channel = `mcp_session_${place.slice(0, 16)}`;
    this.#notify = connection.reading(
      (_, { channel, payloads }: { readonly channel: string; readonly payloads: string }) =>
        sql`select pg_notify(${channel}, payload) from unnest(${payloads}::text[]) as payload`,
    );
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
    this.#listening ??= this.#listen();
    await this.#listening;
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
  }

  async #send(): Promise<void> {
    // What moves in the same turn goes together.
    await Promise.resolve();
    while (this.#waiting.size > 0) {
      const payloads = pack(this.#node, this.#waiting);
      this.#waiting.clear();
      // A hint that is lost costs a tail one poll.
      await this.#notify({ channel: this.#channel, payloads: textArray(payloads) }).catch(() => undefined);
      if (!this.#closing) await this.#pause();
    }
    this.#sending = undefined;
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

  // postgres.js listens on a connection of its own, and again when that is lost, also where the first attempt failed.
  async #listen(): Promise<{ unlisten(): Promise<void> } | undefined> {
    const { sql: client } = this.#connection.client;
    try {
      const listening = await this.#connection.bounded(
        client.listen(this.#channel, (payload) => this.#receive(payload)),
      );
      if (this.#mode === 'auto') void this.#prove();
      return listening;
    } catch {
      return undefined;
    }
  }

  async #unlisten(): Promise<void> {
    const listening = this.#listening;
    this.#listening = undefined;
    this.#proof?.arrived();
    const channel = await listening;
    // The connection may be lost at this very moment, and then it does not listen either.
    if (channel !== undefined) await this.#connection.bounded(channel.unlisten()).catch(() => undefined);
  }

  #receive(payload: string): void {
    if (payload === this.#proof?.payload) this.#proof.arrived();
    // Neither the names of nodes nor ids hold spaces, and the proof begins with one.
    const [node, ...ids] = payload.split(' ');
    if (node === '' || node === this.#node) return;
    for (const id of ids) for (const watcher of this.#watchers) watcher(id);
  }

  /**
   * Notifies ourselves by the pool. Behind a pooler in transaction mode, LISTEN is accepted and nothing ever comes: it belongs to a
   * connection of the server's that others use now.
   */
  async #prove(): Promise<void> {
    const payload = ` ${randomUUID()}`;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#proof = { payload, arrived: () => resolve(true) };
    const timer = setTimeout(() => resolve(false), PROOF_TIMEOUT_MS).unref();
    // Where it cannot be sent, nothing is known.
    this.#notify({ channel: this.#channel, payloads: textArray([payload]) }).catch(() => resolve(true));
    const arrived = await promise;
    clearTimeout(timer);
    this.#proof = undefined;
    if (arrived) return;
    if (!this.#warned)
      process.emitWarning(
        `Notifications of ${this.#connection.label} do not come through, as behind a pooler in transaction mode: tails poll each second`,
        'SessionStoreWarning',
      );
    this.#warned = true;
    await this.#unlisten();
  }
}

/** Joins ids to as few payloads as hold them, each behind the node that sends it. */
function pack(node: string, ids: ReadonlySet<string>): readonly string[] {
  const payloads: string[] = [];
  let payload = node;
  for (const id of ids) {
    if (payload.length + 1 + id.length > MAX_PAYLOAD_BYTES) {
      payloads.push(payload);
      payload = node;
    }
    payload += ` ${id}`;
  }
  return [...payloads, payload];
}
