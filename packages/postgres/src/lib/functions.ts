import { sql, type RawBuilder } from 'kysely';
import type { Connection } from './connection.ts';
import { table } from './schema.ts';

/** The functions that write state: see `State` for why. They run with the rights of the caller. */
export function functions({ schema, tablePrefix }: Connection): readonly RawBuilder<unknown>[] {
  const named = (name: string) => sql.id(schema, `${tablePrefix}${name}`);
  return [
    sql`
      create or replace function ${named('commit_state')}(
        given_id text, given_now int8, keys bytea[], vals text[], sizes int8[], expected int8[], max_keys int8, max_bytes int8, renewed_until int8
      ) returns table (outcome text, version int8, existed text, stale int8, current_value text)
      language plpgsql as $function$
      declare
        session record;
        stale_key bytea;
        more_keys int8;
        more_bytes int8;
      begin
        select s.pk, s.state_version, s.state_keys, s.state_bytes into session
        from ${table.sessions} s where s.id = given_id and s.ended_at is null and s.expires_at > given_now
        for update;
        if not found then return; end if;

        select string_agg(case when old.version is null then '0' else '1' end, '' order by w.n),
          min(w.n) filter (where w.expected <> coalesce(old.version, 0)),
          sum((w.value is not null)::int4 - (old.version is not null)::int4),
          sum(w.bytes - coalesce(old.bytes, 0))
        into existed, stale, more_keys, more_bytes
        from unnest(keys, vals, sizes, expected) with ordinality as w (key, value, bytes, expected, n)
        left join lateral (
          select kept.version, kept.bytes from ${table.state} kept where kept.session_pk = session.pk and kept.key = w.key limit 1
        ) as old on true;

        if stale is not null then
          outcome := 'conflict';
          stale_key := keys[stale::int4];
          version := 0;
          select kept.value, kept.version into current_value, version
          from ${table.state} kept where kept.session_pk = session.pk and kept.key = stale_key;
          return next;
          return;
        end if;
        if more_keys > 0 and session.state_keys + more_keys > max_keys then
          outcome := 'maxKeys';
          return next;
          return;
        end if;
        if more_bytes > 0 and session.state_bytes + more_bytes > max_bytes then
          outcome := 'maxBytes';
          return next;
          return;
        end if;

        outcome := 'committed';
        version := session.state_version + 1;
        insert into ${table.state} as kept (session_pk, key, version, bytes, value)
        select session.pk, w.key, session.state_version + 1, w.bytes, w.value
        from unnest(keys, vals, sizes) as w (key, value, bytes) where w.value is not null
        on conflict on constraint ${sql.id(`${tablePrefix}state_key`)} do update
        set version = excluded.version, bytes = excluded.bytes, value = excluded.value;
        if array_position(vals, null) is not null then
          delete from ${table.state} kept
          where kept.session_pk = session.pk
            and kept.key = any(array(select w.key from unnest(keys, vals) as w (key, value) where w.value is null));
        end if;
        update ${table.sessions} s set
          state_version = session.state_version + 1,
          state_keys = session.state_keys + more_keys,
          state_bytes = session.state_bytes + more_bytes,
          expires_at = greatest(s.expires_at, renewed_until),
          touched_at = case when renewed_until is null then s.touched_at else greatest(s.touched_at, given_now) end
        where s.pk = session.pk;
        return next;
      end
      $function$`,

    sql`
      create or replace function ${named('clear_state')}(given_id text, given_now int8, renewed_until int8) returns int8
      language plpgsql as $function$
      declare
        session record;
      begin
        select s.pk, s.state_keys into session
        from ${table.sessions} s where s.id = given_id and s.ended_at is null and s.expires_at > given_now
        for update;
        if not found then return null; end if;
        delete from ${table.state} kept where kept.session_pk = session.pk;
        update ${table.sessions} s set
          state_version = s.state_version + 1,
          state_keys = 0,
          state_bytes = 0,
          expires_at = greatest(s.expires_at, renewed_until),
          touched_at = case when renewed_until is null then s.touched_at else greatest(s.touched_at, given_now) end
        where s.pk = session.pk;
        return session.state_keys;
      end
      $function$`,
  ];
}
