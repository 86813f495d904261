import type { Diagnosis, SchemaVersion } from '../contract/administration.ts';

/** What an operator has to know about the schema of a store, as the check `schema`. */
export function diagnoseSchema({ present, needed }: SchemaVersion): Diagnosis {
  if (present === needed) return { check: 'schema', status: 'ok', found: `schema version ${present}` };
  const found = present === 0 ? 'tables are missing' : `schema version is ${present}, and this package needs ${needed}`;
  return { check: 'schema', status: 'failure', found, remedy: 'run mcp-session migrate' };
}
