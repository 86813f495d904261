import type { StoredRow } from '@mcp-session/conformance';
import type { SessionBackend } from '@mcp-session/core/backend';
import type { Wrong } from './plant.ts';

/** What is read of the backend in memory: its own type is private to core. */
interface Memory {
  readonly records: {
    readonly tombstones: ReadonlyMap<string, number>;
    readonly sessions: ReadonlyMap<
      string,
      {
        readonly row: unknown;
        readonly state: ReadonlyMap<string, unknown>;
        readonly events: Iterable<unknown>;
        readonly tokens: ReadonlyMap<string, unknown>;
        readonly trimmed: ReadonlyMap<string, unknown>;
      }
    >;
  };
}

/** All that a backend in memory holds, or what the bug in it says. */
export async function memoryRows(backend: SessionBackend): Promise<readonly StoredRow[]> {
  const wrong: unknown = Reflect.get(backend, 'rows');
  if (typeof wrong === 'function') return (wrong as NonNullable<Wrong['rows']>)();
  const rows: StoredRow[] = [];
  const { sessions, tombstones } = (backend as unknown as Memory).records;
  for (const [session, purgeAt] of tombstones) rows.push({ table: 'tombstones', session, text: String(purgeAt) });
  for (const [id, session] of sessions) {
    const add = (table: string, values: Iterable<unknown>): void => {
      for (const value of values) rows.push({ table, session: id, text: JSON.stringify(value) ?? '' });
    };
    add('sessions', [session.row]);
    add('state', session.state.values());
    add('events', session.events);
    add('tokens', session.tokens.keys());
    add('trims', session.trimmed.keys());
  }
  return rows;
}
