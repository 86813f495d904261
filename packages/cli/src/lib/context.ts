import type { AnySchemas, Session, SessionList, SessionStore, SessionStoreOptions } from '@mcp-session/core';
import { createSessionStore, type SessionBackend } from '@mcp-session/core/backend';
import { CliError, EXIT } from './failure.ts';
import { Printer } from './output/printer.ts';
import { checkSchema, migrateCommandOf } from './schema.ts';
import { openBackend, parseAddress, type PlaceOptions, type Use } from './store-address.ts';
import type { CliSurroundings } from './surroundings.ts';

/** Options of every command. */
export interface GlobalOptions extends PlaceOptions {
  readonly store?: string | undefined;
  readonly json?: boolean | undefined;
}

/** What a command works with. */
export interface Context {
  readonly surroundings: CliSurroundings;
  readonly printer: Printer;
  /** The command that migrates the same tables. Does not quote the address of the store. */
  readonly migrateCommand: string;
  /** Opens the backend, works with it, and closes it. `use` is `look` by default. */
  readonly withBackend: <T>(work: (backend: SessionBackend) => Promise<T>, use?: Use) => Promise<T>;
  /** The same with a store. Refuses one whose tables are missing or old, and changes no table. */
  readonly withStore: <T>(
    work: (store: SessionStore, backend: SessionBackend) => Promise<T>,
    observe?: SessionStoreOptions['observe'],
  ) => Promise<T>;
}

/** Makes what a command works with. */
export function contextOf(surroundings: CliSurroundings, options: GlobalOptions): Context {
  const { store: address = surroundings.env['MCP_SESSION_STORE'], json = false, ...place } = options;
  const withBackend: Context['withBackend'] = async (work, use = 'look') => {
    const named = parseAddress(address, place, use);
    const backend = await openBackend(named, surroundings.folder, use);
    try {
      return await work(backend);
    } finally {
      await backend.close();
    }
  };
  const migrateCommand = migrateCommandOf(options);
  return {
    surroundings,
    migrateCommand,
    printer: new Printer(surroundings, json),
    withBackend,
    withStore: (work, observe) =>
      withBackend(async (backend) => {
        await checkSchema(backend, migrateCommand);
        const store = await createSessionStore(backend, { sweep: false, ...(observe && { observe }) });
        try {
          return await work(store, backend);
        } finally {
          await store.close();
        }
      }),
  };
}

/** Shorter first parts of an id find nothing. */
const MIN_PREFIX = 4;

/** The session of an id, or of the first part of one. Looking renews nothing. */
export async function findSession(store: SessionStore, given: string, kind: string | undefined): Promise<Session> {
  // `console.log(session)` shows the first part of an id in this form.
  const id = given.replace(/…$/, '');
  const session = (await store.inspect(id)) ?? (await findByPrefix(store, id, kind));
  if (session !== undefined) return session;
  throw new CliError(
    'There is no such session; it may have expired or was ended',
    'List live sessions with: mcp-session ls',
    EXIT.notFound,
  );
}

async function findByPrefix(store: SessionStore, prefix: string, kind: string | undefined) {
  if (prefix.length < MIN_PREFIX) return undefined;
  const found: Session[] = [];
  let cursor: string | undefined = prefix;
  // A page can be empty although more follows, because a listing leaves out what has expired.
  while (cursor?.startsWith(prefix) === true) {
    const page: SessionList<AnySchemas> = await store.list({ cursor, limit: 20, ...(kind !== undefined && { kind }) });
    found.push(...page.sessions.filter(({ id }) => id.startsWith(prefix)));
    if (found.length > 1) {
      throw new CliError('More than one session has an id that begins like this', 'Give more of the id.');
    }
    cursor = page.nextCursor;
  }
  return found[0];
}
