import type { SweepResult } from '@mcp-session/core/backend';
import { sql, type RawBuilder } from 'kysely';
import type { Connection } from './connection.ts';
import { table, type Int8, type OwnedTable } from './schema.ts';
import { Upkeep } from './sweep/upkeep.ts';

/** Removes what is past its time. */
export class Sweep {
  readonly #statements: ReturnType<typeof prepare>;
  readonly #upkeep: Upkeep;

  constructor(connection: Connection) {
    this.#statements = prepare(connection);
    this.#upkeep = new Upkeep(connection);
  }

  // Two statements, the second only where there is something to remove. What the first one closes no write can touch again, so that the second, which begins
  // after that commit, sees all that belongs to it: nothing is left behind by a writer that was faster.
  async step(limit: number, now: number): Promise<SweepResult> {
    const [found] = await this.#statements.close({ limit, now });
    const upkept = found?.upkeep !== true || (await this.#upkeep.step(limit, now));
    const looked = Number(found?.looked ?? 0);
    if (found?.removable !== true) return { ids: [], done: upkept && looked < limit };
    const [step] = await this.#statements.remove({ limit, now });
    const ids = step?.ids ?? '';
    return {
      ids: ids === '' ? [] : ids.split(' '),
      done: upkept && looked < limit && step?.done === true,
    };
  }
}

interface Step {
  readonly limit: number;
  readonly now: number;
}

function prepare(connection: Connection) {
  return {
    // Rows are found again by an array of their keys: of a join the planner thinks that a third of the table may be due.
    // Renewals leave `sweep_at` alone. What is found to be live is looked at again when it would expire.
    close: connection.writing(
      (_, { limit, now }: Step) => sql<{ looked: Int8; removable: boolean; upkeep: boolean }>`
        with due as materialized (
          select pk from ${table.sessions}
          where sweep_at <= ${now}::int8 and ended_at is null
          order by sweep_at limit ${limit}
          for update skip locked
        ), closed as (
          update ${table.sessions} set
            ended_at = case when expires_at > ${now}::int8 then null else expires_at end,
            expires_at = case when expires_at > ${now}::int8 then expires_at else 0 end,
            purge_at = case when expires_at > ${now}::int8 then null else 0 end,
            sweep_at = case when expires_at > ${now}::int8 then expires_at else 0 end
          where pk = any(array(select pk from due))
          returning ended_at
        )
        select (select count(*) from due) as looked,
          exists (select from closed where ended_at is not null)
          or (select pk from ${table.sessions} where sweep_at <= ${now}::int8 and ended_at is not null order by sweep_at limit 1)
            is not null as removable,
          exists (select from ${table.tasks} where due_at <= ${now}::int8) as upkeep`,
    ),

    // Messages are the greater part of what is stored, and the secret part: they go first. Where all rows of the sessions were fewer than the
    // limit they are all gone, and the sessions' own records can follow.
    //
    // What is counted is what was chosen, and not what was deleted. Rows that another node has deleted since this statement began are still chosen, so that what was
    // chosen may be too much and is never too little: nothing is written to a session that is closed. By what was deleted, such rows would pass for rows that are not there, and the
    // session's record would go before the rest that nobody has looked at.
    remove: connection.writing(
      (_, { limit, now }: Step) => sql<{ ids: string | null; done: boolean }>`
        with due as materialized (
          select pk from ${table.sessions}
          where sweep_at <= ${now}::int8 and ended_at is not null
          order by sweep_at limit ${limit}
          for update skip locked
        ), ${removeFrom('events', sql`${limit}::int8`)}
        , ${removeFrom('state', sql`${limit}::int8 - (select count(*) from chosen_events)`)}
        , ${removeFrom('tokens', sql`${limit}::int8 - (select count(*) from chosen_events) - (select count(*) from chosen_state)`)}
        , ${removeFrom('trims', sql`${limit}::int8 - (select count(*) from chosen_events) - (select count(*) from chosen_state) - (select count(*) from chosen_tokens)`)}
        , room as materialized (
          select ${limit}::int8 - (select count(*) from chosen_events) - (select count(*) from chosen_state)
            - (select count(*) from chosen_tokens) - (select count(*) from chosen_trims) as rows
        ), finished as materialized (
          select * from due limit (select rows from room)
        ), waiting as (
          update ${table.sessions} set sweep_at = purge_at, principal = null, profile = ''
          where pk = any(array(select pk from finished)) and purge_at > ${now}::int8
        ), gone as (
          delete from ${table.sessions}
          where pk = any(array(select pk from finished)) and purge_at <= ${now}::int8
          returning id
        )
        select (select string_agg(id, ' ') from gone) as ids,
          (select count(*) from due) < ${limit}::int8 and (select count(*) from due) = (select count(*) from finished) as done`,
    ),
  };
}

// By their place on the disk: whatever the planner thinks of the sizes of the tables, it can only go there. Nothing moves the rows, as each write to them
// needs the lock on their session.
function removeFrom(name: OwnedTable, limit: RawBuilder<unknown>): RawBuilder<unknown> {
  const chosen = sql.id(`chosen_${name}`);
  return sql`${chosen} as materialized (
      select owned.place
      from due, lateral (select ctid as place from ${table[name]} where session_pk = due.pk limit ${limit}) as owned
      limit ${limit}
    ), ${sql.id(`removed_${name}`)} as (
      delete from ${table[name]} where ctid = any(array(select place from ${chosen}))
    )`;
}
