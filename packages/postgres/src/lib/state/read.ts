import type { StateRow } from '@mcp-session/core/backend';
import { sql } from 'kysely';
import type { Connection } from '../connection.ts';
import { utf8, utf8Array } from '../literals.ts';
import { table, type Int8 } from '../schema.ts';

/** Reads the state of sessions. */
export class StateReader {
  readonly #statements: ReturnType<typeof prepare>;

  constructor(connection: Connection) {
    this.#statements = prepare(connection);
  }

  async read(
    sessionId: string,
    keys: readonly string[] | undefined,
    now: number,
  ): Promise<readonly StateRow[] | undefined> {
    const [only] = keys ?? [];
    if (only !== undefined && keys?.length === 1) return this.#readOne(sessionId, only, now);
    const rows =
      keys === undefined
        ? await this.#statements.readAll({ sessionId, now })
        : await this.#statements.read({ sessionId, keys: utf8Array(keys), now });
    if (rows.length === 0) return undefined;
    // A live session without such keys is one row of nulls.
    return rows.flatMap(({ key, value, version }) =>
      key === null || value === null ? [] : [{ key: toText(key), value, version: Number(version) }],
    );
  }

  async #readOne(sessionId: string, key: string, now: number): Promise<readonly StateRow[] | undefined> {
    const [row] = await this.#statements.readOne({ sessionId, key: utf8(key), now });
    if (row === undefined) return undefined;
    return row.value === null ? [] : [{ key, value: row.value, version: Number(row.version) }];
  }
}

function toText(hex: string): string {
  return Buffer.from(hex, 'hex').toString('utf8');
}

interface BySession {
  readonly sessionId: string;
  readonly now: number;
}

interface SelectedValue {
  readonly value: string | null;
  readonly version: Int8 | null;
}

interface SelectedKey extends SelectedValue {
  /** In hex digits, because the output of a bytea depends on a setting (bytea_output). */
  readonly key: string | null;
}

function prepare(connection: Connection) {
  return {
    readOne: connection.reading(
      (_, { sessionId, key, now }: BySession & { readonly key: string }) => sql<SelectedValue>`
        select kept.value, kept.version
        from ${table.sessions} as session
        left join ${table.state} as kept on kept.session_pk = session.pk and kept.key = ${key}::text::bytea
        where session.id = ${sessionId} and session.expires_at > ${now}`,
    ),

    read: connection.reading(
      (_, { sessionId, keys, now }: BySession & { readonly keys: string }) => sql<SelectedKey>`
        select encode(kept.key, 'hex') as key, kept.value, kept.version
        from ${table.sessions} as session
        left join ${table.state} as kept on kept.session_pk = session.pk and kept.key = any(${keys}::bytea[])
        where session.id = ${sessionId} and session.expires_at > ${now}`,
    ),

    readAll: connection.reading(
      (_, { sessionId, now }: BySession) => sql<SelectedKey>`
        select encode(kept.key, 'hex') as key, kept.value, kept.version
        from ${table.sessions} as session
        left join ${table.state} as kept on kept.session_pk = session.pk
        where session.id = ${sessionId} and session.expires_at > ${now}`,
    ),
  };
}
