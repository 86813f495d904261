import type { StateCommit, StateLimits, StateResult, StateRow, StateWrite } from '@mcp-session/core/backend';
import { addFingerprint, fingerprint } from './fingerprints.ts';
import { lost, type Connection } from '../connection.ts';
import { number, split } from '../items.ts';
import { dataTtl, headKey, isLive, MAX_TRANSACTION_ITEMS, VALUE_PART_BYTES, type Head } from '../schema.ts';
import type { Known, KnownKey, Memory } from '../head-cache.ts';
import { failed, isLiveItem, live, renew, type Sessions } from '../sessions/record.ts';
import { firstItem, oldParts, otherParts, toKnownKey } from './items.ts';
import type { StateReader } from './read.ts';
import type { Turns } from '../turns.ts';

/** What a commit makes of the sums of a session. */
type Sums = Pick<Head, 'stateVersion' | 'stateKeys' | 'stateBytes' | 'stateSum' | 'litter'>;

/** The writes of sessions' state. */
export class State {
  readonly #connection: Connection;
  readonly #memory: Memory;
  readonly #turns: Turns;
  readonly #sessions: Sessions;
  readonly #reader: StateReader;

  constructor(connection: Connection, memory: Memory, turns: Turns, sessions: Sessions, reader: StateReader) {
    this.#connection = connection;
    this.#memory = memory;
    this.#turns = turns;
    this.#sessions = sessions;
    this.#reader = reader;
  }

  async commit(commit: StateCommit, now: number): Promise<StateResult | undefined> {
    const { sessionId, writes } = commit;
    return this.#turns.run(sessionId, async () => {
      let read = false;
      return this.#connection.untilWon(
        async () => {
          let known = read ? undefined : this.#memory.live(sessionId, now);
          let rows: ReadonlyMap<string, StateRow> | undefined;
          const single = writes.length === 1 && !read;
          if (known === undefined || !knowsAll(known, writes)) {
            const keys = writes.map(({ key }) => key);
            const snapshot = await (single
              ? this.#reader.readOne(sessionId, keys, now)
              : this.#reader.snapshot(sessionId, keys, now));
            if (snapshot === undefined) return undefined;
            ({ known, rows } = snapshot);
          }
          const before = writes.map(({ key }) => known.keys.get(key));
          const refusal = refuse(commit, known.head, before, rows);
          if (refusal !== undefined) {
            // Only what was just read can refuse, and a limit only what was read as of one moment: the sums and the key's size belong together.
            const certain = rows !== undefined && (!single || refusal.status === 'conflict');
            read = true;
            return certain ? refusal : lost;
          }
          read = false;
          return this.#write(commit, known, before, now);
        },
        () => this.#sessions.load(sessionId),
      );
    });
  }

  // One update, whatever the number of keys: those of an older epoch are not there any more. Sweeps remove them.
  async clear(sessionId: string, expiresAt: number | undefined, now: number): Promise<number | undefined> {
    return this.#turns.run(sessionId, () =>
      this.#connection.untilWon(async () => {
        const head = (this.#memory.live(sessionId, now) ?? (await this.#sessions.load(sessionId)))?.head;
        if (head === undefined || !isLive(head, now)) return undefined;
        const change = live(head, now).when('stateVersion', '=', number(head.stateVersion));
        const sums = { stateVersion: head.stateVersion + 1, stateKeys: 0, stateBytes: 0, stateSum: 0 };
        for (const [name, value] of Object.entries(sums)) change.set(name, number(value));
        const litter = head.litter || head.stateKeys > 0;
        change.set('epoch', number(head.epoch + 1)).set('litter', { BOOL: litter });
        renew(change, head, expiresAt, now);
        // Not a mere update: only a transaction can be tried again without being done twice.
        const update = change.update(this.#connection.tables.sessions, headKey(sessionId));
        const [reason] = (await this.#connection.transactWrite([{ Update: update }])) ?? [];
        if (reason !== undefined) return isLiveItem(this.#sessions.learnFrom(reason), now) ? lost : undefined;
        this.#sessions.renewed(head, expiresAt, now, { ...sums, epoch: head.epoch + 1, litter });
        this.#memory.get(sessionId)?.keys.clear();
        return head.stateKeys;
      }),
    );
  }

  async #write(
    { sessionId, writes, expiresAt }: StateCommit,
    known: Known,
    before: readonly KnownKey[],
    now: number,
  ): Promise<StateResult | undefined | typeof lost> {
    const { head } = known;
    const table = this.#connection.tables.sessions;
    const version = head.stateVersion + 1;
    const ttl = number(dataTtl(Math.max(head.expiresAt, expiresAt ?? 0)));
    const parts = writes.map(({ value }) => (value === undefined ? [] : split(value, VALUE_PART_BYTES)));
    const items = writes.map((write, index) =>
      firstItem(table, head, write, before[index], parts[index] ?? [], version, ttl),
    );
    const rest = writes.flatMap((write, index) => otherParts(table, head, write, parts[index] ?? [], version, ttl));
    // Parts of an old value that there is no room for stay behind. No reader takes them for parts of another version.
    const room = MAX_TRANSACTION_ITEMS - 1 - items.length - rest.length;
    const old = writes.flatMap((write, index) =>
      oldParts(table, head, write, before[index], parts[index]?.length ?? 0),
    );
    const sums = sumsAfter(head, writes, before, version);
    const litter = head.litter || old.length > room;

    const change = live(head, now)
      .when('stateVersion', '=', number(head.stateVersion))
      .set('stateVersion', number(version))
      .set('stateKeys', number(sums.stateKeys))
      .set('stateBytes', number(sums.stateBytes))
      .set('stateSum', number(sums.stateSum));
    if (litter && !head.litter) change.set('litter', { BOOL: true });
    renew(change, head, expiresAt, now);
    const reasons = await this.#connection.transactWrite([
      { Update: change.update(table, headKey(sessionId)) },
      ...items,
      ...rest,
      ...old.slice(0, room),
    ]);
    if (reasons === undefined) {
      this.#sessions.renewed(head, expiresAt, now, { ...sums, litter });
      const after = this.#memory.get(sessionId);
      for (const [index, { key, value, bytes }] of writes.entries())
        if (after !== undefined)
          this.#memory.learnKey(
            after,
            key,
            value === undefined ? undefined : { version, bytes, parts: parts[index]?.length ?? 1 },
          );
      return { status: 'committed', version, existed: before.map((entry) => entry !== undefined) };
    }

    const [onHead, ...onKeys] = reasons;
    if (failed(onHead)) {
      const present = this.#sessions.learnFrom(onHead);
      if (!isLiveItem(present, now)) return undefined;
    }
    const present = this.#memory.get(sessionId);
    for (const [index, { key }] of writes.entries()) {
      const reason = onKeys[index];
      if (present !== undefined && failed(reason))
        this.#memory.learnKey(present, key, toKnownKey(present.head, reason.Item));
    }
    return lost;
  }
}

/** Where a session has no keys at all, each one is known. */
function knowsAll({ head, keys }: Known, writes: readonly StateWrite[]): boolean {
  return head.stateKeys === 0 || writes.every(({ key }) => keys.has(key));
}

function refuse(
  { writes, limits }: StateCommit,
  { stateKeys, stateBytes }: Head,
  before: readonly KnownKey[],
  rows: ReadonlyMap<string, StateRow> | undefined,
): StateResult | undefined {
  const stale = writes.find(
    ({ expectedVersion }, index) => expectedVersion !== undefined && expectedVersion !== (before[index]?.version ?? 0),
  );
  if (stale !== undefined) return { status: 'conflict', key: stale.key, current: rows?.get(stale.key) };
  const added = addedBy(writes, before);
  const exceeded = (limit: keyof StateLimits, sum: number, more: number) => more > 0 && sum + more > limits[limit];
  if (exceeded('maxKeys', stateKeys, added.keys)) return { status: 'limit', limit: 'maxKeys' };
  if (exceeded('maxBytes', stateBytes, added.bytes)) return { status: 'limit', limit: 'maxBytes' };
  return undefined;
}

function addedBy(
  writes: readonly StateWrite[],
  before: readonly KnownKey[],
): { readonly keys: number; readonly bytes: number } {
  let [keys, bytes] = [0, 0];
  for (const [index, write] of writes.entries()) {
    keys += Number(write.value !== undefined) - Number(before[index] !== undefined);
    bytes += write.bytes - (before[index]?.bytes ?? 0);
  }
  return { keys, bytes };
}

function sumsAfter(
  head: Head,
  writes: readonly StateWrite[],
  before: readonly KnownKey[],
  version: number,
): Omit<Sums, 'litter'> {
  const added = addedBy(writes, before);
  let stateSum = head.stateSum;
  for (const [index, { key, value }] of writes.entries()) {
    const old = before[index];
    if (old !== undefined) stateSum = addFingerprint(stateSum, -fingerprint(key, old.version));
    if (value !== undefined) stateSum = addFingerprint(stateSum, fingerprint(key, version));
  }
  return {
    stateVersion: version,
    stateKeys: head.stateKeys + added.keys,
    stateBytes: head.stateBytes + added.bytes,
    stateSum,
  };
}
