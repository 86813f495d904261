import type { SweepResult } from '@mcp-session/core/backend';
import { sql, type RawBuilder } from 'kysely';
import type { Connection } from './connection.ts';
import { table, type Int8, type OwnedTable } from './schema.ts';
import { Upkeep } from './sweep/upkeep.ts';

/** Removes expired sessions, ended sessions and tombstones that are due. */
export class Sweeper {
  readonly #statements: ReturnType<typeof prepare>;
  readonly #upkeep: Upkeep;

  constructor(connection: Connection) {
    this.#statements = prepare(connection);
    this.#upkeep = new Upkeep(connection);
  }

  // The second statement runs only if there is something to remove. No write can touch a session
  // that the first statement has closed, so the second, which begins after that commit, sees all
  // its rows. No concurrent writer leaves a row behind.
  async sweep(limit: number, now: number): Promise<SweepResult> {
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
  return { close: prepareClose(connection), remove: prepareRemove(connection) };
}

// Finds the rows again by an array of their keys: for a join, the planner expects a third of the
// table. Renewals do not change `sweep_at`, so live sessions turn up here. They get a new
// `sweep_at`.
function prepareClose(connection: Connection) {
  return connection.writing(
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
        or (select pk from ${table.sessions} where sweep_at <= ${now}::int8 and ended_at is not null
            order by sweep_at limit 1) is not null as removable,
        exists (select from ${table.tasks} where due_at <= ${now}::int8) as upkeep`,
  );
}

// Messages are the largest and the most secret part, so they go first. If a session has fewer rows
// than the limit, all are gone, and its record can follow.
//
// The limit counts chosen rows, not deleted ones. Rows that another node has deleted since this
// statement began still count as chosen, so the count may be too high but never too low: nothing
// writes to a closed session. A count of deleted rows would miss these, and the record would go
// before rows that nobody has looked at.
function prepareRemove(connection: Connection) {
  return connection.writing((_, { limit, now }: Step) => {
    const afterEvents = sql`${limit}::int8 - (select count(*) from chosen_events)`;
    const afterState = sql`${afterEvents} - (select count(*) from chosen_state)`;
    const afterTokens = sql`${afterState} - (select count(*) from chosen_tokens)`;
    const afterTrims = sql`${afterTokens} - (select count(*) from chosen_trims)`;
    return sql<{ ids: string | null; done: boolean }>`
      with due as materialized (
        select pk from ${table.sessions}
        where sweep_at <= ${now}::int8 and ended_at is not null
        order by sweep_at limit ${limit}
        for update skip locked
      ), ${removeFrom('events', sql`${limit}::int8`)}
      , ${removeFrom('state', afterEvents)}
      , ${removeFrom('tokens', afterState)}
      , ${removeFrom('trims', afterTokens)}
      , room as materialized (
        select ${afterTrims} as rows
      ), finished as materialized (
        select * from due limit (select rows from room)
      ), waiting as (
        update ${table.sessions} set sweep_at = purge_at, principal = null, profile = ''
        where pk = any(array(select pk from finished)) and purge_at > ${now}::int8
      ), removed as (
        delete from ${table.sessions}
        where pk = any(array(select pk from finished)) and purge_at <= ${now}::int8
        returning id
      )
      select (select string_agg(id, ' ') from removed) as ids,
        (select count(*) from due) < ${limit}::int8
          and (select count(*) from due) = (select count(*) from finished) as done`;
  });
}

// Deletes by physical place (ctid), which leaves the planner no choice, whatever it believes about
// the sizes of the tables. No row moves meanwhile, because each write to it needs the lock on its
// session.
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
