import type { SessionPage, SessionPageQuery, SessionQuery } from '@mcp-session/core/backend';
import type { Connection } from '../connection.ts';
import { keyOf, text, type Item } from '../items.ts';
import { headKey, isLive, KIND_INDEX, ownerOf, PRINCIPAL_INDEX, profileKey, toHead } from '../schema.ts';
import type { Sessions } from './record.ts';

/** Sessions whose rows are read in one request: a head and a profile each. */
const ROWS_AT_ONCE = 50;

/** Lists and counts sessions. Their ids come from a global index, which lags behind; their rows are as they are now. */
export class Listing {
  readonly #connection: Connection;
  readonly #sessions: Sessions;

  constructor(connection: Connection, sessions: Sessions) {
    this.#connection = connection;
    this.#sessions = sessions;
  }

  async list({ afterId, limit, ...query }: SessionPageQuery, now: number): Promise<SessionPage> {
    const found: string[] = [];
    for await (const ids of this.#ids(query, afterId, limit + 1)) {
      found.push(...ids);
      if (found.length > limit) break;
    }
    const page = found.slice(0, limit);
    const batches: Promise<Item[]>[] = [];
    for (let from = 0; from < page.length; from += ROWS_AT_ONCE) {
      const some = page.slice(from, from + ROWS_AT_ONCE);
      batches.push(this.#connection.batchGet({ sessions: some.flatMap((id) => [headKey(id), profileKey(id)]) }));
    }
    const items = (await Promise.all(batches)).flat();
    const rows = this.#sessions.toRows(items, now).toSorted((a, b) => (a.id < b.id ? -1 : 1));
    const more = found.length > limit;
    return { rows, more, nextAfterId: more ? page.at(-1) : undefined };
  }

  async count(query: SessionQuery, now: number): Promise<number> {
    let count = 0;
    for await (const ids of this.#ids(query, undefined, undefined)) {
      const heads = await this.#connection.batchGet({ sessions: ids.map(headKey) });
      count += heads.filter((head) => isLive(toHead(head), now)).length;
    }
    return count;
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
    let start: Item | undefined;
    do {
      const page = await this.#connection.query({
        TableName: this.#connection.tables.sessions,
        IndexName: index,
        ConsistentRead: false,
        KeyConditionExpression: `#owner = :owner and id > :after`,
        ExpressionAttributeNames: { '#owner': name },
        // No id is so small.
        ExpressionAttributeValues: { ':owner': text(value), ':after': text(afterId ?? ' ') },
        ...(limit !== undefined && { Limit: limit }),
        ...(start !== undefined && { ExclusiveStartKey: start }),
      });
      yield page.items.map((item) => keyOf(item).id);
      start = page.next;
    } while (start !== undefined);
  }
}
