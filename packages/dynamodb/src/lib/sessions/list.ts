import { takeSessions, type SessionPage, type SessionPageQuery, type SessionQuery } from '@mcp-session/core/backend';
import type { Connection } from '../connection.ts';
import { isLive, toHead } from '../head.ts';
import { keyOf, text, type Item } from '../items.ts';
import { headKey, KIND_INDEX, ownerOf, PRINCIPAL_INDEX, profileKey, recordKey } from '../schema.ts';
import type { SessionRecords } from './record.ts';

/** Sessions whose rows are read in one request, each with a head, a profile and a record. */
const ROWS_AT_ONCE = 33;

/**
 * Lists and counts live sessions. The ids come from a global index, which lags behind; the rows are
 * read consistently.
 */
export class SessionList {
  readonly #connection: Connection;
  readonly #records: SessionRecords;

  constructor(connection: Connection, records: SessionRecords) {
    this.#connection = connection;
    this.#records = records;
  }

  async list({ afterId, limit, ...query }: SessionPageQuery, now: number): Promise<SessionPage> {
    const found: { readonly id: string }[] = [];
    for await (const ids of this.#ids(query, afterId, limit + 1)) {
      found.push(...ids.map((id) => ({ id })));
      if (found.length > limit) break;
    }
    const page = takeSessions(found, limit);
    const batches: Promise<Item[]>[] = [];
    for (let from = 0; from < page.rows.length; from += ROWS_AT_ONCE) {
      const some = page.rows.slice(from, from + ROWS_AT_ONCE);
      batches.push(
        this.#connection.batchGet({ sessions: some.flatMap(({ id }) => [headKey(id), profileKey(id), recordKey(id)]) }),
      );
    }
    const items = (await Promise.all(batches)).flat();
    const rows = this.#records.toRows(items, now).toSorted((a, b) => (a.id < b.id ? -1 : 1));
    return { ...page, rows };
  }

  async count(query: SessionQuery, now: number): Promise<number> {
    let count = 0;
    for await (const ids of this.#ids(query, undefined, undefined)) {
      const heads = await this.#connection.batchGet({ sessions: ids.map(headKey) });
      count += heads.filter((head) => isLive(toHead(head), now)).length;
    }
    return count;
  }

  /** Scans the index of kinds, which holds the keys of sessions that were not ended. */
  async countKinds(now: number): Promise<ReadonlyMap<string, number>> {
    const counts = new Map<string, number>();
    let start: Item | undefined;
    do {
      const page = await this.#connection.scanKeys(this.#connection.tables.sessions, KIND_INDEX, start);
      const heads = await this.#connection.batchGet({ sessions: page.items.map((item) => headKey(keyOf(item).id)) });
      for (const head of heads.map(toHead)) {
        if (isLive(head, now)) counts.set(head.kind, (counts.get(head.kind) ?? 0) + 1);
      }
      start = page.next;
    } while (start !== undefined);
    return counts;
  }

  async *#ids(
    { kind, principal }: SessionQuery,
    afterId: string | undefined,
    limit: number | undefined,
  ): AsyncGenerator<string[], void, undefined> {
    const [index, name, value] =
      principal === undefined
        ? [KIND_INDEX, 'listKind', kind]
        : [PRINCIPAL_INDEX, 'listOwner', ownerOf(kind, principal)];
    const pages = this.#connection.pages({
      TableName: this.#connection.tables.sessions,
      IndexName: index,
      ConsistentRead: false,
      KeyConditionExpression: `#owner = :owner and id > :after`,
      ExpressionAttributeNames: { '#owner': name },
      // A space sorts before every id.
      ExpressionAttributeValues: { ':owner': text(value), ':after': text(afterId ?? ' ') },
      ...(limit !== undefined && { Limit: limit }),
    });
    for await (const page of pages) {
      yield page.items.map((item) => keyOf(item).id);
    }
  }
}
