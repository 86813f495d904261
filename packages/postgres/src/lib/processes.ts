import { sql } from 'kysely';
import type { Connection } from './connection.ts';
import { textArray } from './literals.ts';

/**
 * How long all connections of a process must be gone before it counts as ended, in milliseconds. A
 * process that lost them and lives has connected again by then.
 */
const GONE_FOR_MS = 350;
/** Maximum number of processes whose connections were found gone. The oldest go first. */
const MAX_GONE = 1_000;

interface Gone {
  longEnough: boolean;
}

/**
 * Tells whether processes have ended, by their sessions on the server: a server learns at once that
 * a killed process has closed its connections. All connections of a pool have the same name, which
 * no other process has.
 *
 * Only a server that has run since then knows. So a process is identified by the name, the server's
 * start, its checkpointer, which a crash of the server restarts, and the role, because other roles
 * do not see the name. If any of these differ, nothing is known.
 *
 * Behind a pooler in transaction mode, a name belongs to whichever client uses the connection. So
 * a process has an identity only while notifications were seen to arrive, which needs a connection
 * of its own.
 */
export class Processes {
  readonly #statements: ReturnType<typeof prepare>;
  readonly #applicationName: string;
  /** Processes without a connection. */
  readonly #gone = new Map<string, Gone>();

  /** @param applicationName The name of this pool's connections. */
  constructor(connection: Connection, applicationName: string) {
    this.#statements = prepare(connection);
    this.#applicationName = applicationName;
  }

  /** @returns `undefined` if the connections are not seen under their name. */
  async identify(): Promise<string | undefined> {
    const [row] = await this.#statements.identify({ name: this.#applicationName });
    // This connection and the one that listens. A pooler may give them another name.
    return row !== undefined && row.seen >= 2 ? `${row.server} ${this.#applicationName}` : undefined;
  }

  async findEnded(processes: readonly string[]): Promise<ReadonlySet<string>> {
    const rows = await this.#statements.gone({ processes: textArray(processes) });
    const gone = new Set(rows.map(({ process }) => process));
    for (const process of processes) {
      if (!gone.has(process)) this.#gone.delete(process);
      else if (!this.#gone.has(process)) this.#noteGone(process);
    }
    for (const oldest of this.#gone.keys()) {
      if (this.#gone.size <= MAX_GONE) break;
      this.#gone.delete(oldest);
    }
    return new Set(processes.filter((process) => this.#gone.get(process)?.longEnough === true));
  }

  #noteGone(process: string): void {
    const noted: Gone = { longEnough: false };
    this.#gone.set(process, noted);
    setTimeout(() => (noted.longEnough = true), GONE_FOR_MS).unref();
  }
}

/** What a session of the server has in common with all others that can be compared with it. */
const server = sql`(
  select own.usesysid || '/' || (extract(epoch from pg_postmaster_start_time()) * 1000000)::int8 || '/' ||
    (select pid from pg_stat_activity where backend_type = 'checkpointer')
  from pg_stat_activity own where own.pid = pg_backend_pid())`;

function prepare(connection: Connection) {
  return {
    identify: connection.reading(
      (_, { name }: { readonly name: string }) => sql<{ server: string; seen: number }>`
        select ${server} as server,
          (select count(*)::int4 from pg_stat_activity where application_name = ${name}) as seen
        where ${server} is not null`,
    ),
    gone: connection.reading(
      (_, { processes }: { readonly processes: string }) => sql<{ process: string }>`
        select process from unnest(${processes}::text[]) as process
        where split_part(process, ' ', 1) = ${server}
          and split_part(process, ' ', 2) ~ '^mcp-session-[0-9a-f]{32}$'
          and not exists (select from pg_stat_activity where application_name = split_part(process, ' ', 2))`,
    ),
  };
}
