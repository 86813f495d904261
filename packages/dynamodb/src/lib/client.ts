import { loadSdk } from './client/sdk.ts';
import { Connection } from './connection.ts';
import type { ResolvedOptions } from './options.ts';

/** Prepares a connection. It loads the SDK at its first request. */
export async function connect(options: ResolvedOptions): Promise<Connection> {
  const { tables, client, maxAttempts, maxConflicts } = options;
  const owned = client === undefined;
  return new Connection(() => loadSdk(options), { tables, label: labelOf(options), owned, maxAttempts, maxConflicts });
}

/** Names the tables for operators. */
function labelOf({ tables, region, endpoint }: ResolvedOptions): string {
  const place = endpoint === undefined ? region : new URL(endpoint).host;
  return `DynamoDB tables ${tables.sessions} and ${tables.events}${place === undefined ? '' : ` at ${place}`}`;
}
