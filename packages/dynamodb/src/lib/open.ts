import { Connection } from './connection.ts';
import type { CreateOptions, ResolvedOptions } from './options.ts';
import { loadSdk } from './client.ts';

/** A connection, what it may create, and whether closing its client is ours to do. */
export interface Opened {
  readonly connection: Connection;
  readonly owned: boolean;
  readonly create: CreateOptions | undefined;
}

/** Makes a connection that loads the SDK for its first request. */
export function open(options: ResolvedOptions): Opened {
  const connection = new Connection(() => loadSdk(options), { ...options, label: labelOf(options) });
  return { connection, owned: options.client === undefined, create: options.create };
}

/** Names the tables for operators. */
function labelOf({ tables, region, endpoint }: ResolvedOptions): string {
  const place = endpoint === undefined ? region : new URL(endpoint).host;
  return `DynamoDB tables ${tables.sessions} and ${tables.events}${place === undefined ? '' : ` at ${place}`}`;
}
