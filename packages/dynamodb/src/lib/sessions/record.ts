import type {
  ChangeResult,
  ListedRow,
  NewSession,
  PolledHead,
  SessionAsker,
  SessionChange,
  SessionRow,
} from '@mcp-session/core/backend';
import { randomBytes } from 'node:crypto';
import type { Connection } from '../connection.ts';
import type { HeadCache } from '../head-cache.ts';
import { isLive, newHead, toHead, type Head } from '../head.ts';
import { Change, keyOf, number, text, type Item, type ItemKey } from '../items.ts';
import { CONFLICT } from '../retries.ts';
import { dueItem, HEAD, headKey, headTtl, profileKey, recordKey } from '../schema.ts';
import { applyRenewal, conditionFailed, isLiveItem, renew, whileLive } from './renewal.ts';
import { mayRead, profileItem, replacement, toRow } from './texts.ts';

/** Creates, reads and changes the record of one session. */
export class SessionRecords {
  readonly #connection: Connection;
  readonly #cache: HeadCache;

  constructor(connection: Connection, cache: HeadCache) {
    this.#connection = connection;
    this.#cache = cache;
  }

  async create(session: NewSession, now: number): Promise<boolean> {
    const { id, expiresAt } = session;
    const table = this.#connection.tables.sessions;
    const head = newHead({ ...session, gen: randomBytes(6).toString('base64url') }, now);
    const profile = profileItem(session, toHead(head).gen);
    const due = dueItem(id, expiresAt);
    const reasons = await this.#connection.transactWrite([
      { Put: new Change().whenAbsent('id').put(table, head) },
      { Put: new Change().put(table, profile) },
      { Put: new Change().put(table, due) },
    ]);
    if (reasons === undefined) this.#cache.learn(toHead(head));
    return reasons === undefined;
  }

  // If the cache shows that the session is the asker's, one query reads profile, record and head
  // for the price of their sum. Otherwise the head is read first, alone, so that another user's
  // session costs as much as an unknown id, however large its profile is. The cache decides nothing
  // else.
  async read(id: string, now: number, asker?: SessionAsker): Promise<SessionRow | undefined> {
    const known = this.#cache.get(id)?.head;
    if (asker === undefined || (known !== undefined && mayRead(known, asker))) {
      const [row] = this.toRows(await this.#items(headKey(id)), now);
      if (row !== undefined) return mayRead(row, asker) ? row : undefined;
      // Not live, or only a part of a transaction was visible.
    }
    return this.#connection.retries.onConflict(async () => {
      const head = (await this.#cache.load(id))?.head;
      if (head === undefined || !isLive(head, now) || !mayRead(head, asker)) return undefined;
      return toRow(head, await this.#items(recordKey(id))) ?? CONFLICT;
    });
  }

  async update(id: string, change: SessionChange, now: number): Promise<ChangeResult | undefined> {
    const { profile, record, expiresAt } = change;
    const table = this.#connection.tables.sessions;
    return this.#connection.retries.onConflict(async () => {
      const head = this.#cache.findLive(id, now)?.head ?? (await this.#cache.load(id))?.head;
      if (head === undefined || !isLive(head, now)) return undefined;
      const onHead = whileLive(head, now);
      renew(onHead, head, expiresAt, now);
      const until = Math.max(head.expiresAt, expiresAt ?? 0);
      const reasons = await this.#connection.transactWrite([
        onHead.changesNothing
          ? { ConditionCheck: onHead.check(table, headKey(id)) }
          : { Update: onHead.update(table, headKey(id)) },
        ...(profile === undefined ? [] : [replacement(head, 'profile', profile, until)(table)]),
        ...(record === undefined ? [] : [replacement(head, 'record', record, until)(table)]),
      ]);
      if (reasons === undefined) {
        this.#cache.learn(applyRenewal(head, expiresAt, now));
        return { status: 'updated' } as const;
      }
      const [onHeadReason] = reasons;
      if (conditionFailed(onHeadReason) && !isLiveItem(this.#cache.learnFrom(onHeadReason), now)) return undefined;
      const current = await this.read(id, now);
      if (current === undefined || !isStale(change, current)) return current && CONFLICT;
      return { status: 'conflict', current } as const;
    });
  }

  /** @returns The head after the touch; `undefined` if the session is not live. */
  async touch(id: string, expiresAt: number, now: number): Promise<Head | undefined> {
    let head = this.#cache.findLive(id, now)?.head;
    return this.#connection.retries.onConflict(async () => {
      const change = whileLive(head, now);
      renew(change, head, expiresAt, now);
      // The cache alone cannot show that there is nothing to renew, so this reads the head.
      if (change.changesNothing) return this.#confirm(id, now);
      const written = await this.#connection.update(this.#connection.tables.sessions, headKey(id), change);
      if (!written.done) {
        head = written.item && this.#cache.learn(toHead(written.item), { refuted: true }).head;
        return head !== undefined && isLive(head, now) ? CONFLICT : undefined;
      }
      const before = written.item === undefined ? head : toHead(written.item);
      return before && this.#cache.learn(applyRenewal(before, expiresAt, now)).head;
    });
  }

  // The session's due item leads a sweep to it too late. Writing another one is cheaper than
  // finding it.
  async end(id: string, purgeAt: number, now: number): Promise<boolean> {
    const table = this.#connection.tables.sessions;
    const change = whileLive(undefined, now)
      .set('endedAt', number(now))
      .set('purgeAt', number(purgeAt))
      .set('ttl', number(headTtl(Math.max(purgeAt, now))))
      .remove('principal')
      .remove('listKind')
      .remove('listOwner');
    const reasons = await this.#connection.transactWrite([
      { Update: change.update(table, headKey(id)) },
      { Put: new Change().put(table, dueItem(id, now)) },
      // A tombstone holds no data of the user.
      { Delete: new Change().delete(table, profileKey(id)) },
    ]);
    this.#cache.forget(id);
    return reasons === undefined;
  }

  async readHeads(ids: readonly string[], now: number): Promise<ReadonlyMap<string, PolledHead>> {
    const items = await this.#connection.batchGet({ sessions: ids.map(headKey) });
    const heads = items.map((item) => this.#cache.learn(toHead(item)).head).filter((head) => isLive(head, now));
    return new Map(heads.map(({ id, lastSeq, expiresAt }) => [id, { lastSeq, expiresAt }]));
  }

  /**
   * Makes rows from heads, profiles and records, in any order. Leaves out sessions that are not
   * live or not complete.
   */
  toRows(items: readonly Item[], now: number): ListedRow[] {
    const byId = Map.groupBy(items, (item) => keyOf(item).id);
    return [...byId.values()].flatMap((some) => {
      const item = some.find((each) => keyOf(each).item === HEAD);
      if (item === undefined) return [];
      const head = toHead(item);
      this.#cache.learn(head);
      // A head without its profile was created or removed during the read.
      const row = isLive(head, now) ? toRow(head, some) : undefined;
      return row === undefined ? [] : [row];
    });
  }

  /** Reads the items of a session up to the given one: profile, record, and the head after them. */
  async #items(last: ItemKey): Promise<readonly Item[]> {
    const { items } = await this.#connection.query({
      TableName: this.#connection.tables.sessions,
      KeyConditionExpression: 'id = :id and #item <= :last',
      ExpressionAttributeNames: { '#item': 'item' },
      ExpressionAttributeValues: { ':id': text(last.id), ':last': text(last.item) },
    });
    return items;
  }

  async #confirm(id: string, now: number): Promise<Head | undefined> {
    const head = (await this.#cache.load(id))?.head;
    return head !== undefined && isLive(head, now) ? head : undefined;
  }
}

/** True if a text that is to be changed has another version than the change expects. */
function isStale({ profile, record }: SessionChange, { version, recordVersion }: SessionRow): boolean {
  return (
    (profile !== undefined && profile.expectedVersion !== version) ||
    (record !== undefined && record.expectedVersion !== recordVersion)
  );
}
