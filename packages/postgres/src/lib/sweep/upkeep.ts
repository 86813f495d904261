import { sql, type RawBuilder } from 'kysely';
import type { Connection } from '../connection.ts';
import { table, type OwnedTable } from '../schema.ts';

/**
 * Pause between two rounds of a task, in milliseconds: nodes of the old version may run for a
 * while.
 */
const AGAIN_MS = 86_400_000;

const owned: readonly OwnedTable[] = ['events', 'state', 'tokens', 'trims'];

/**
 * Names of the tasks that a migration leaves to the sweeps
 * (docs/decisions/019-one-statement-on-postgresql.md).
 */
export const tasks: readonly string[] = [...owned.map(orphansOf), 'tombstones'];

/** Repairs what older versions have left in the tables, in bounded steps. */
export class Upkeep {
  readonly #tasks: ReturnType<typeof prepare>;

  constructor(connection: Connection) {
    this.#tasks = prepare(connection);
  }

  /** @returns True if nothing is left to do now. */
  async step(limit: number, now: number): Promise<boolean> {
    const due = await this.#tasks.due({ now });
    const name = due[0]?.name;
    if (name === undefined) return true;
    // A task of a newer version is done by the nodes that know it.
    const task = this.#tasks.byName.get(name);
    const [step] = task === undefined ? [] : await task({ limit, now });
    return due.length === 1 && step?.finished !== false;
  }
}

interface Step {
  readonly limit: number;
  readonly now: number;
}

function prepare(connection: Connection) {
  const names = sql.join(tasks.map((name) => sql.lit(name)));
  return {
    due: connection.reading(
      (_, { now }: { readonly now: number }) => sql<{ name: string }>`
        select name from ${table.tasks} where due_at <= ${now}::int8 and name in (${names}) order by name`,
    ),
    byName: new Map([
      ...owned.map((name) => [orphansOf(name), prepareTask(connection, orphansOf(name), orphans(name))] as const),
      ['tombstones', prepareTask(connection, 'tombstones', tombstones)] as const,
    ]),
  };
}

function orphansOf(name: OwnedTable): string {
  return `orphans_${name}`;
}

/**
 * One step of a task, around the CTEs of `work`: `walked` has the sessions of this step, fewer than
 * the limit at the end of the task. `room.is_full` is true if they need more work than the limit
 * allows; then the next step begins at the same place. If two nodes try at once, one finds nothing.
 */
function prepareTask(connection: Connection, name: string, work: (step: Step) => RawBuilder<unknown>) {
  return connection.writing(
    (_, step: Step) => sql<{ finished: boolean }>`
      with recursive task as materialized (
        select name, cursor_pk, rounds from ${table.tasks}
        where name = ${sql.lit(name)} and due_at <= ${step.now}::int8
        for update skip locked
      ), ${work(step)}, outcome as materialized (
        select task.*, room.is_full, not room.is_full and (select count(*) from walked) < ${step.limit}::int8 as is_over
        from task, room
      ), advanced as (
        update ${table.tasks} as kept set
          cursor_pk = case when is_over then 0 when is_full then kept.cursor_pk else (select max(pk) from walked) end,
          due_at = case when is_over then ${step.now}::int8 + ${sql.lit(AGAIN_MS)} else kept.due_at end,
          rounds = kept.rounds - case when is_over then 1 else 0 end
        from outcome where kept.name = outcome.name and not (is_over and outcome.rounds <= 1)
      ), finished as (
        delete from ${table.tasks} as kept using outcome where kept.name = outcome.name and is_over and outcome.rounds <= 1
      )
      select is_over as finished from outcome`,
  );
}

/**
 * Removes rows whose session no longer exists. It walks from session to session by the index of the
 * table itself. A row that is visible without its session is an orphan: a session becomes visible
 * no later than its first row, and no `pk` is used twice.
 */
function orphans(name: OwnedTable): (step: Step) => RawBuilder<unknown> {
  const next = (after: RawBuilder<unknown>) =>
    sql`lateral (select session_pk from ${table[name]} where session_pk > ${after} order by session_pk limit 1) as next`;
  return ({ limit }) => sql`walked (pk, n) as (
      select next.session_pk, 1 from task, ${next(sql`task.cursor_pk`)}
      union all
      select next.session_pk, walked.n + 1 from walked, ${next(sql`walked.pk`)} where walked.n < ${limit}::int8
    ), lost as materialized (
      select pk from walked where not exists (select from ${table.sessions} as session where session.pk = walked.pk)
    ), chosen as materialized (
      select owned.place
      from lost, lateral (select ctid as place from ${table[name]} where session_pk = lost.pk limit ${limit}) as owned
      limit ${limit}
    ), removed as (
      delete from ${table[name]} where ctid = any(array(select place from chosen))
    ), room as materialized (select count(*) >= ${limit}::int8 as is_full from chosen)`;
}

/** Removes data of the user from the tombstones of ended sessions. */
function tombstones({ limit }: Step): RawBuilder<unknown> {
  return sql`walked as materialized (
      select session.pk, session.ended_at is not null and (session.principal is not null or session.profile <> '') as has_user_data
      from task, lateral (
        select pk, ended_at, principal, profile from ${table.sessions} where pk > task.cursor_pk order by pk limit ${limit}
      ) as session
    ), cleared as (
      update ${table.sessions} set principal = null, profile = ''
      where pk = any(array(select pk from walked where has_user_data)) and ended_at is not null
    ), room as materialized (select false as is_full)`;
}
