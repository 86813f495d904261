import { accessSync, constants, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { diagnoseSchema, versionOf, type Diagnosis } from '@mcp-session/core/backend';
import type { Connection } from './connection.ts';
import { indexNames, readSchemaVersion } from './migrate.ts';

const MIB = 1_048_576;
/** A write-ahead log of this size is not emptied by the checkpoints of its writers, in bytes. */
const LARGE_LOG_BYTES = 64 * MIB;

/** Looks at the database for what an operator has to know. */
export function diagnose(connection: Connection): readonly Diagnosis[] {
  const { handle } = connection;
  const path = handle.memory ? undefined : handle.name;
  const schema = readSchemaVersion(connection);
  const version = handle.prepare<[], string>('select sqlite_version()').pluck().get();
  return [
    diagnoseSchema(schema),
    {
      check: 'versions',
      status: 'ok',
      found: `better-sqlite3 ${versionOf('better-sqlite3', import.meta.url) ?? 'of unknown version'}, SQLite ${version}`,
    },
    ...(path === undefined ? [] : [rightsOf(path), logOf(path)]),
    // The tables of another version have other indexes.
    ...(schema.present === schema.needed ? [indexesOf(connection)] : []),
  ];
}

function rightsOf(path: string): Diagnosis {
  try {
    // SQLite makes its log and its shared memory beside the file.
    for (const place of [path, dirname(path)]) accessSync(place, constants.R_OK | constants.W_OK);
  } catch {
    const remedy = "give the server's user the right to write the file and its folder";
    return { check: 'rights', status: 'failure', found: 'this user may not write the file or its folder', remedy };
  }
  const { mode } = statSync(path);
  const found = `file mode is 0${(mode & 0o777).toString(8)}`;
  if ((mode & 0o077) === 0) return { check: 'rights', status: 'ok', found };
  const remedy = 'chmod 0600 unless others must read what sessions store';
  return { check: 'rights', status: 'warning', found: `${found}, so others can read sessions`, remedy };
}

function logOf(path: string): Diagnosis {
  const bytes = statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  const found =
    bytes < MIB ? `write-ahead log has ${bytes} bytes` : `write-ahead log has ${Math.round(bytes / MIB)} MiB`;
  if (bytes <= LARGE_LOG_BYTES) return { check: 'log', status: 'ok', found };
  return { check: 'log', status: 'warning', found, remedy: 'end the process that keeps a read transaction open' };
}

function indexesOf(connection: Connection): Diagnosis {
  const names = connection.handle.prepare<[], string>("select name from sqlite_schema where type = 'index'").pluck();
  const present = new Set(names.all());
  const missing = indexNames(connection).filter((name) => !present.has(name));
  if (missing.length === 0) return { check: 'indexes', status: 'ok', found: 'all indexes are there' };
  return {
    check: 'indexes',
    status: 'warning',
    found: `missing: ${missing.join(', ')}`,
    remedy: 'create them as a new database has them',
  };
}
