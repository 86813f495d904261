import { randomBytes } from 'node:crypto';
import type {
  NewSession,
  PolledHead,
  ProfileChange,
  ProfileResult,
  SessionAsker,
  SessionRow,
} from '@mcp-session/core/backend';
import type { CancellationReason } from '@aws-sdk/client-dynamodb';
import { lost, type Connection } from '../connection.ts';
import { Change, keyOf, number, text, type Item } from '../items.ts';
import {
  dataTtl,
  dueKey,
  HEAD,
  headKey,
  headTtl,
  isLive,
  newHead,
  PROFILE,
  profileKey,
  toHead,
  type Head,
} from '../schema.ts';
import type { Known, Memory } from '../head-cache.ts';
import { isProfileOf, isTheirs, profileItem, toRow } from './profile.ts';

/** The operations on sessions' records. */
export class Sessions {
  readonly #connection: Connection;
  readonly #memory: Memory;

  constructor(connection: Connection, memory: Memory) {
    this.#connection = connection;
    this.#memory = memory;
  }

  async create(session: NewSession, now: number): Promise<boolean> {
    const { id, expiresAt } = session;
    const table = this.#connection.tables.sessions;
    const head = newHead({ ...session, gen: randomBytes(6).toString('base64url') }, now);
    const profile = profileItem(session, toHead(head).gen, 1, expiresAt);
    const due = dueItem(id, expiresAt);
    const reasons = await this.#connection.transactWrite([
      { Put: new Change().whenAbsent('id').put(table, head) },
      { Put: new Change().put(table, profile) },
      { Put: new Change().put(table, due) },
    ]);
    if (reasons === undefined) this.#memory.learn(toHead(head));
    return reasons === undefined;
  }

  // One query where this process knows the session and that it is theirs who ask; it reads profile and record for the price of their sum. Of any other the record is
  // read first, alone: so a session of somebody else costs what an unknown id costs, whatever its profile weighs. What is remembered decides nothing else.
  async read(id: string, now: number, asker?: SessionAsker): Promise<SessionRow | undefined> {
    const known = this.#memory.get(id)?.head;
    if (asker === undefined || (known !== undefined && isTheirs(known, asker))) {
      const { items } = await this.#connection.query({
        TableName: this.#connection.tables.sessions,
        // Up to the head there is nothing but the profile.
        KeyConditionExpression: 'id = :id and #item <= :head',
        ExpressionAttributeNames: { '#item': 'item' },
        ExpressionAttributeValues: { ':id': text(id), ':head': text(HEAD) },
      });
      const [row] = this.toRows(items, now);
      if (row !== undefined) return isTheirs(row, asker) ? row : undefined;
      // Not live, unless only a part of a transaction was seen.
    }
    return this.#connection.untilWon(async () => {
      const head = (await this.load(id))?.head;
      if (head === undefined || !isLive(head, now) || !isTheirs(head, asker)) return undefined;
      const profile = await this.#connection.get(this.#connection.tables.sessions, profileKey(id));
      return isProfileOf(head, profile) ? toRow(head, profile) : lost;
    });
  }

  async update(id: string, change: ProfileChange, now: number): Promise<ProfileResult | undefined> {
    const table = this.#connection.tables.sessions;
    return this.#connection.untilWon(async () => {
      const head = this.#memory.live(id, now)?.head ?? (await this.load(id))?.head;
      if (head === undefined || !isLive(head, now)) return undefined;
      const onHead = live(head, now);
      renew(onHead, head, change.expiresAt, now);
      const version = change.expectedVersion + 1;
      const profile = new Change()
        .set('profile', text(change.profile))
        .set('version', number(version))
        .set('ttl', number(dataTtl(Math.max(head.expiresAt, change.expiresAt ?? 0))))
        .when('version', '=', number(change.expectedVersion));
      const reasons = await this.#connection.transactWrite([
        onHead.changesNothing
          ? { ConditionCheck: onHead.check(table, headKey(id)) }
          : { Update: onHead.update(table, headKey(id)) },
        { Update: profile.update(table, profileKey(id)) },
      ]);
      if (reasons === undefined) {
        this.renewed(head, change.expiresAt, now);
        return { status: 'updated', version } as const;
      }
      const [onHeadReason] = reasons;
      if (failed(onHeadReason) && !isLiveItem(this.learnFrom(onHeadReason), now)) return undefined;
      const current = await this.read(id, now);
      if (current === undefined || current.version === change.expectedVersion) return current && lost;
      return { status: 'conflict', current } as const;
    });
  }

  /** @returns The session's head as it is after it; `undefined` where the session is not live. */
  async touch(id: string, expiresAt: number, now: number): Promise<Head | undefined> {
    let head = this.#memory.live(id, now)?.head;
    return this.#connection.untilWon(async () => {
      const change = live(head, now);
      renew(change, head, expiresAt, now);
      // Only what was just read can say that there is nothing to renew.
      if (change.changesNothing) return this.#confirm(id, now);
      const written = await this.#connection.update(this.#connection.tables.sessions, headKey(id), change);
      if (!written.done) {
        head = written.item && this.#memory.learn(toHead(written.item), { refuted: true }).head;
        return head !== undefined && isLive(head, now) ? lost : undefined;
      }
      const before = written.item === undefined ? head : toHead(written.item);
      return before && this.renewed(before, expiresAt, now);
    });
  }

  // The due item that the session has leads a sweep to it too late; one more is written rather than looking for that one.
  async end(id: string, purgeAt: number, now: number): Promise<boolean> {
    const table = this.#connection.tables.sessions;
    const change = live(undefined, now)
      .set('endedAt', number(now))
      .set('purgeAt', number(purgeAt))
      .set('ttl', number(headTtl(Math.max(purgeAt, now))))
      .remove('principal')
      .remove('listKind')
      .remove('listOwner');
    const reasons = await this.#connection.transactWrite([
      { Update: change.update(table, headKey(id)) },
      { Put: new Change().put(table, dueItem(id, now)) },
      // What is left until `purgeAt` says nothing of whose it was.
      { Delete: new Change().delete(table, profileKey(id)) },
    ]);
    this.#memory.forget(id);
    return reasons === undefined;
  }

  async readHeads(ids: readonly string[], now: number): Promise<ReadonlyMap<string, PolledHead>> {
    const items = await this.#connection.batchGet({ sessions: ids.map(headKey) });
    const heads = items.map((item) => this.#memory.learn(toHead(item)).head).filter((head) => isLive(head, now));
    return new Map(heads.map(({ id, lastSeq, expiresAt }) => [id, { lastSeq, expiresAt }]));
  }

  /** Reads a session's head, live or not. */
  async load(id: string): Promise<Known | undefined> {
    const item = await this.#connection.get(this.#connection.tables.sessions, headKey(id));
    if (item === undefined) this.#memory.forget(id);
    return item && this.#memory.learn(toHead(item));
  }

  /** Makes rows of heads and profiles, in any order, and leaves out what is not live or not whole. */
  toRows(items: readonly Item[], now: number): SessionRow[] {
    const profiles = new Map(
      items.filter((item) => keyOf(item).item === PROFILE).map((item) => [keyOf(item).id, item]),
    );
    return items.flatMap((item) => {
      if (keyOf(item).item !== HEAD) return [];
      const head = toHead(item);
      this.#memory.learn(head);
      // A head without its profile was being created or removed while they were read.
      const profile = profiles.get(head.id);
      return isLive(head, now) && isProfileOf(head, profile) ? [toRow(head, profile)] : [];
    });
  }

  /** Notes the head in the reason why a condition on it did not hold. */
  learnFrom({ Item: item }: CancellationReason): Item | undefined {
    if (item !== undefined) this.#memory.learn(toHead(item), { refuted: true });
    return item;
  }

  /** Notes what a write on the given head has made of it. */
  renewed(head: Head, expiresAt: number | undefined, now: number, changes: Partial<Head> = {}): Head {
    const times =
      expiresAt === undefined
        ? {}
        : { expiresAt: Math.max(head.expiresAt, expiresAt), touchedAt: Math.max(head.touchedAt, now) };
    return this.#memory.learn({ ...head, ...times, ...changes }).head;
  }

  async #confirm(id: string, now: number): Promise<Head | undefined> {
    const head = (await this.load(id))?.head;
    return head !== undefined && isLive(head, now) ? head : undefined;
  }
}

/** A change of a head on the condition that the session is live, and the one that is known. */
export function live(known: Head | undefined, now: number): Change {
  const change = new Change().whenAbsent('endedAt').when('expiresAt', '>', number(now));
  return known === undefined ? change : change.when('gen', '=', text(known.gen));
}

/**
 * Makes a change of a head renew the session. DynamoDB has no maximum: what is known to be greater already is left alone, and
 * for the rest it is a condition that it is not.
 */
export function renew(change: Change, known: Head | undefined, expiresAt: number | undefined, now: number): void {
  if (expiresAt === undefined) return;
  if (known === undefined || known.expiresAt < expiresAt)
    change
      .set('expiresAt', number(expiresAt))
      .set('ttl', number(headTtl(expiresAt)))
      .when('expiresAt', '<=', number(expiresAt));
  if (known === undefined || known.touchedAt < now)
    change.set('touchedAt', number(now)).when('touchedAt', '<=', number(now));
}

export function dueItem(id: string, at: number): Item {
  const key = dueKey(id, at);
  return { id: text(key.id), item: text(key.item), ttl: number(headTtl(at)) };
}

export function failed(reason: CancellationReason | undefined): reason is CancellationReason {
  return reason?.Code === 'ConditionalCheckFailed';
}

export function isLiveItem(head: Item | undefined, now: number): head is Item {
  return head !== undefined && isLive(toHead(head), now);
}
