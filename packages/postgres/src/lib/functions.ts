import { FORGET_EVERY, REMEMBERED_TOKENS } from '@mcp-session/core/backend';
import { sql, type RawBuilder } from 'kysely';
import type { Connection } from './connection.ts';
import { tagOf } from './literals.ts';
import { table } from './schema.ts';

/**
 * The functions that append and write state where one plain statement is not enough. The migrations
 * create them (docs/decisions/019-one-statement-on-postgresql.md).
 *
 * A statement sees all tables as of its start, except for rows that it locks. If it waits for the
 * lock of a session, it would look for tokens, compare versions and count keys as of before the
 * other's commit. In a function, each statement sees the tables as of its own start: the first one
 * locks, and the next ones see what the previous holder of the lock has committed.
 *
 * They run with the rights of the caller. A migration that changes the arguments or results of one
 * must create another under a new name, because nodes of the old version still call the old one.
 */
export function functions({ schema, tablePrefix }: Connection): readonly RawBuilder<unknown>[] {
  const named = (name: string) => sql.id(schema, `${tablePrefix}${name}`);
  const constraint = (name: string) => sql.id(`${tablePrefix}${name}`);
  const quotes = sql.raw(tagOf('function', schema));
  return [
    appendEvents(named('append_events'), constraint('token_key'), quotes),
    commitState(named('commit_state'), constraint('state_key'), quotes),
    clearState(named('clear_state'), quotes),
  ];
}

type Name = RawBuilder<unknown>;

const { sessions, events, tokens, state } = table;

// Works like the statement in events/append.ts, but answers for tokens that are known already. The
// requests are sorted by session id, so two batches cannot deadlock.
function appendEvents(name: Name, token_key: Name, quotes: RawBuilder<unknown>): RawBuilder<unknown> {
  const forgetEvery = sql.lit(FORGET_EVERY);
  return sql`
    create function ${name}(
      given_now int8, ids text[], given_tokens text[], counts int8[], sums int8[], renewals int8[],
      stream_ids text[], sizes int4[], messages text[]
    ) returns table (n int4, first_seq int8, retained_events int8, retained_bytes int8)
    language plpgsql as ${quotes}
    declare
      session record;
      passed int4 := 0;
    begin
      for i in 1 .. cardinality(ids) loop
        update ${sessions} s set
          last_seq = s.last_seq + counts[i],
          log_bytes = s.log_bytes + sums[i],
          expires_at = greatest(s.expires_at, renewals[i]),
          touched_at = case when renewals[i] is null then s.touched_at else greatest(s.touched_at, given_now) end
        where s.id = ids[i] and s.expires_at > given_now
        returning s.pk, s.last_seq, s.trimmed_seq, s.log_bytes into session;
        if found then
          first_seq := session.last_seq - counts[i] + 1;
          insert into ${tokens} as t (session_pk, token, first_seq, last_seq)
          values (session.pk, given_tokens[i], session.last_seq - counts[i] + 1, session.last_seq)
          on conflict on constraint ${token_key} do nothing;
          if found then
            insert into ${events} (session_pk, seq, created_at, bytes, stream_id, message)
            select session.pk, session.last_seq - counts[i] + e.k, given_now, e.bytes, e.stream_id, e.message
            from unnest(
              stream_ids[passed + 1 : passed + counts[i]::int4],
              sizes[passed + 1 : passed + counts[i]::int4],
              messages[passed + 1 : passed + counts[i]::int4]
            ) with ordinality as e (stream_id, bytes, message, k);
            if session.last_seq / ${forgetEvery} > (session.last_seq - counts[i]) / ${forgetEvery} then
              delete from ${tokens} t where t.session_pk = session.pk and t.last_seq <= session.last_seq - ${sql.lit(REMEMBERED_TOKENS)};
            end if;
          else
            update ${sessions} s set last_seq = s.last_seq - counts[i], log_bytes = s.log_bytes - sums[i]
            where s.pk = session.pk
            returning s.pk, s.last_seq, s.trimmed_seq, s.log_bytes into session;
            select t.first_seq into first_seq from ${tokens} t where t.session_pk = session.pk and t.token = given_tokens[i];
          end if;
          n := i;
          retained_events := session.last_seq - session.trimmed_seq;
          retained_bytes := session.log_bytes;
          return next;
        end if;
        passed := passed + counts[i]::int4;
      end loop;
    end
    ${quotes}`;
}

function commitState(name: Name, state_key: Name, quotes: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`
    create function ${name}(
      given_id text, given_now int8, keys bytea[], vals text[], sizes int8[], expected int8[], max_keys int8, max_bytes int8, renewed_until int8
    ) returns table (outcome text, version int8, existed text, stale int4, current_value text)
    language plpgsql as ${quotes}
    declare
      session record;
      old record;
      more_keys int8 := 0;
      more_bytes int8 := 0;
    begin
      select s.pk, s.state_version, s.state_keys, s.state_bytes into session
      from ${sessions} s where s.id = given_id and s.expires_at > given_now
      for update;
      if not found then return; end if;
      existed := '';
      for i in 1 .. cardinality(keys) loop
        select k.version, k.bytes into old from ${state} k where k.session_pk = session.pk and k.key = keys[i];
        existed := existed || case when found then '1' else '0' end;
        if expected[i] <> coalesce(old.version, 0) then
          outcome := 'conflict';
          stale := i;
          select k.value, k.version into current_value, version from ${state} k where k.session_pk = session.pk and k.key = keys[i];
          return next; return;
        end if;
        more_keys := more_keys + case when vals[i] is null then 0 else 1 end - case when found then 1 else 0 end;
        more_bytes := more_bytes + sizes[i] - coalesce(old.bytes, 0);
      end loop;
      outcome := case
        when more_keys > 0 and session.state_keys + more_keys > max_keys then 'maxKeys'
        when more_bytes > 0 and session.state_bytes + more_bytes > max_bytes then 'maxBytes'
        else 'committed'
      end;
      version := session.state_version + 1;
      if outcome <> 'committed' then
        return next; return;
      end if;

      for i in 1 .. cardinality(keys) loop
        if vals[i] is null then
          delete from ${state} k where k.session_pk = session.pk and k.key = keys[i];
        else
          insert into ${state} as k (session_pk, key, version, bytes, value)
          values (session.pk, keys[i], session.state_version + 1, sizes[i], vals[i])
          on conflict on constraint ${state_key} do update
          set version = excluded.version, bytes = excluded.bytes, value = excluded.value;
        end if;
      end loop;
      update ${sessions} s set
        state_version = session.state_version + 1,
        state_keys = session.state_keys + more_keys,
        state_bytes = session.state_bytes + more_bytes,
        expires_at = greatest(s.expires_at, renewed_until),
        touched_at = case when renewed_until is null then s.touched_at else greatest(s.touched_at, given_now) end
      where s.pk = session.pk;
      return next;
    end
    ${quotes}`;
}

function clearState(name: Name, quotes: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`
    create function ${name}(given_id text, given_now int8, renewed_until int8) returns int8
    language plpgsql as ${quotes}
    declare
      session record;
    begin
      select s.pk, s.state_keys into session
      from ${sessions} s where s.id = given_id and s.expires_at > given_now
      for update;
      if not found then return null; end if;
      delete from ${state} k where k.session_pk = session.pk;
      update ${sessions} s set
        state_version = s.state_version + 1,
        state_keys = 0,
        state_bytes = 0,
        expires_at = greatest(s.expires_at, renewed_until),
        touched_at = case when renewed_until is null then s.touched_at else greatest(s.touched_at, given_now) end
      where s.pk = session.pk;
      return session.state_keys;
    end
    ${quotes}`;
}
