import type { SessionBackend } from '@mcp-session/core/backend';
import { CliError, EXIT } from './failure.ts';
import type { PlaceOptions } from './store-address.ts';

/** The command that makes the tables, without the options that name them. */
export const MIGRATE = 'mcp-session migrate';

/** A name that is no address, and that a shell takes without quotes. */
const PLAIN = /^[\w-]+$/;

/**
 * The command that migrates the tables which these options name. The address is left out, because
 * it can hold a password, and so is what looks like an address. Its place says that it was given.
 */
export function migrateCommandOf({
  store,
  schema,
  prefix,
}: PlaceOptions & { readonly store?: string | undefined }): string {
  const options = { store: store === undefined ? undefined : '…', schema, prefix };
  const given = Object.entries(options).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name} ${PLAIN.test(value) ? value : '…'}`],
  );
  return [MIGRATE, ...given].join(' ');
}

/** Whether the tables are those that this version of the backend works with. */
export async function hasSchema(backend: SessionBackend): Promise<boolean> {
  const { present, needed } = await versionOf(backend);
  return present === needed;
}

/** Refuses a store whose tables are missing or old. */
export async function checkSchema(backend: SessionBackend, migrateCommand: string): Promise<void> {
  const { present, needed } = await versionOf(backend);
  if (present === needed) return;
  if (present === 0) {
    const remedy = `Check --store, --schema and --prefix, or create the tables with:\n${migrateCommand}`;
    throw new CliError('The tables of the store are missing', remedy, EXIT.failed);
  }
  throw new CliError(
    `The store has schema version ${present}, and this version of @mcp-session/${backend.name} needs ${needed}`,
    `Migrate it with: ${migrateCommand}\nUpgrade the servers too: those of an older version no longer start.`,
    EXIT.failed,
  );
}

async function versionOf(backend: SessionBackend) {
  return (await backend.readSchemaVersion?.()) ?? { present: 1, needed: 1 };
}
