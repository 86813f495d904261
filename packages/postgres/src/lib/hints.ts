import { createHash, randomUUID } from 'node:crypto';
import { sql, type RawBuilder } from 'kysely';
import type { Connection, Statement } from './connection.ts';
import { textArray } from './literals.ts';
import { table } from './schema.ts';

/** PostgreSQL refuses payloads of 8,000 bytes and more. */
const MAX_PAYLOAD_BYTES = 7_900;
/** How long a notification to ourselves may take before we take it that none comes through, in milliseconds. */
const PROOF_TIMEOUT_MS = 5_000;
/** How often one that listens says so again, in milliseconds. */
const PRESENCE_MS = 60_000;
/** After so many seconds without a word, one that listened is taken to be gone. */
const ABSENCE_S = 180;

type OnHint = (sessionId: string) => void;

interface Presence {
  readonly node: string;
}

/**
 * Whether any other node listens, as a part of a statement: what nobody hears need not be sent. By the database's clock, the one clock that all nodes share: it
 * decides nothing but whether a hint is sent.
 */
export function heardElsewhere(node: string): RawBuilder<boolean> {
  return sql`exists (select from ${table.listeners} where node <> ${node} and seen_at > now() - interval '${sql.lit(ABSENCE_S)} seconds')`;
}

/**
 * Tells other nodes by NOTIFY which sessions have moved, and hears of it by LISTEN. What is sent are ids alone: nothing is ever taken from
 * a notification but that it is worth to look. Its owner knows what it has moved itself and is not told.
 */
export class Hints {
  /** Stands for this backend among all that use the tables. */
  readonly node: string = randomUUID();
  readonly #connection: Connection;
  readonly #mode: 'auto' | 'on' | 'off';
  readonly #channel: string;
  readonly #notify: Statement<{ readonly channel: string; readonly payloads: string }, unknown>;
  readonly #appear: Statement<Presence, unknown>;
  readonly #leave: Statement<Presence, unknown>;
  readonly #waiting = new Set<string>();
  #sending: Promise<void> | undefined;
  readonly #watchers = new Set<OnHint>();
  #listening: Promise<{ unlisten(): Promise<void> } | undefined> | undefined;
  /** When this node last said that it listens, by the caller's clock. */
  #saidAt: number | undefined;
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
    // Those that were killed are forgotten here.
    this.#appear = connection.reading(
      (_, { node }: Presence) => sql`
        with gone as (delete from ${table.listeners} where seen_at < now() - interval '1 hour' and node <> ${node})
        insert into ${table.listeners} as listener (node, seen_at) values (${node}, now())
        on conflict (node) do update set seen_at = excluded.seen_at`,
    );
    this.#leave = connection.reading(
      (_, { node }: Presence) => sql`delete from ${table.listeners} where node = ${node}`,
    );
  }

  get enabled(): boolean {
    return this.#mode !== 'off';
  }

  /**
   * Sends hints, after the commit and not as part of it: a commit that notifies takes a lock on the whole database
   * (PreCommit_Notify in PostgreSQL's async.c). One statement is under way at a time; what moves meanwhile goes together in the next one.
   */
  moved(sessionIds: readonly string[]): void {
    if (!this.enabled) return;
    for (const id of sessionIds) this.#waiting.add(id);
    if (this.#waiting.size > 0) this.#sending ??= this.#send();
  }

  /**
   * Says about once a minute that this node listens; to be called ahead of what tails read. What is appended before it is known that somebody listens
   * is then found by that read.
   */
  async listeningAt(now: number): Promise<void> {
    if (this.#saidAt === undefined || Math.abs(now - this.#saidAt) < PRESENCE_MS) return;
    this.#saidAt = now;
    await this.#appear({ node: this.node }).catch(() => undefined);
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
    await this.#sending;
    await this.#unlisten();
  }

  async #send(): Promise<void> {
    while (this.#waiting.size > 0) {
      const payloads = pack(this.node, this.#waiting);
      this.#waiting.clear();
      // A hint that is lost costs a tail one poll.
      await this.#notify({ channel: this.#channel, payloads: textArray(payloads) }).catch(() => undefined);
    }
    this.#sending = undefined;
  }

  // postgres.js listens on a connection of its own, and again when that is lost, also where the first attempt failed.
  async #listen(): Promise<{ unlisten(): Promise<void> } | undefined> {
    const { sql: client } = this.#connection.client;
    try {
      const listening = await this.#connection.bounded(
        client.listen(this.#channel, (payload) => this.#receive(payload)),
      );
      await this.#appear({ node: this.node }).catch(() => undefined);
      // The next read says so again, and when.
      this.#saidAt = -PRESENCE_MS;
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
    this.#saidAt = undefined;
    if (channel === undefined) return;
    // The connection may be lost at this very moment, and then it does not listen either.
    await this.#connection.bounded(channel.unlisten()).catch(() => undefined);
    await this.#leave({ node: this.node }).catch(() => undefined);
  }

  #receive(payload: string): void {
    if (payload === this.#proof?.payload) this.#proof.arrived();
    // Neither nodes nor ids hold spaces.
    const [node, ...ids] = payload.split(' ');
    if (node === '' || node === this.node) return;
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
