import type { Sql } from 'postgres';
import { checkInternals, parsedOptions } from './client/driver-internals.ts';
import { loadDriver } from './client/driver.ts';
import { labelOf, type Client, type Lane } from './client/lanes.ts';
import { Pool } from './client/pool.ts';
import { Connection } from './connection.ts';
import type { PostgresClient, ResolvedOptions } from './options.ts';

/** Prepares a pool, or takes the caller's client. Sends nothing. */
export async function connect({ client, schema, tablePrefix }: ResolvedOptions): Promise<Connection> {
  const taken = 'unsafe' in client ? borrow(client) : new Pool(client, await loadDriver());
  return new Connection(taken, schema, tablePrefix);
}

/** Wraps a client of the caller. It stays open, and its connections are its owner's. */
function borrow(client: PostgresClient): Client {
  // `PostgresClient` describes only a part of a client. `resolveOptions` has checked that it is
  // one.
  const sql = client as Sql;
  checkInternals(sql);
  const lane: Lane = {
    sql,
    mayWait: true,
    refusesTls: false,
    release: () => undefined,
    drop: () => undefined,
    distrust: () => undefined,
    omitSettings: () => false,
  };
  return {
    label: labelOf(sql),
    maxConnections: parsedOptions(sql).max,
    statementTimeoutMs: undefined,
    applicationName: undefined,
    take: (use) => {
      use(lane);
      return () => undefined;
    },
    listen: (...args) => sql.listen(...args),
    close: async () => undefined,
  };
}
