import type { Put } from '@aws-sdk/client-dynamodb';
import type { ListedRow, NewSession, SessionAsker, TextChange } from '@mcp-session/core/backend';
import type { Head } from '../head.ts';
import { Change, keyOf, number, readNumber, readText, text, type Item } from '../items.ts';
import { dataTtl, PROFILE, RECORD } from '../schema.ts';

/** The item of the profile of a new session. */
export function profileItem({ id, profile, expiresAt }: NewSession, gen: string): Item {
  return {
    id: text(id),
    item: text(PROFILE),
    gen: text(gen),
    profile: text(profile),
    version: number(1),
    ttl: number(dataTtl(expiresAt)),
  };
}

/**
 * Replaces a profile or a record, on condition that it has the expected version. An item of an
 * earlier session with the same id has none.
 */
export function replacement(
  { id, gen }: Head,
  attribute: 'profile' | 'record',
  { text: value, expectedVersion }: TextChange,
  expiresAt: number,
): (table: string) => { readonly Put: Put } {
  const change = new Change();
  const own = `${change.name('gen')} = ${change.value(text(gen))}`;
  if (expectedVersion === 0) change.whenTrue(`attribute_not_exists(${change.name('id')}) OR NOT ${own}`);
  else change.whenTrue(own).when('version', '=', number(expectedVersion));
  const item = {
    id: text(id),
    item: text(attribute === 'profile' ? PROFILE : RECORD),
    gen: text(gen),
    [attribute]: text(value),
    version: number(expectedVersion + 1),
    ttl: number(dataTtl(expiresAt)),
  };
  return (table) => ({ Put: change.put(table, item) });
}

/** True if the session is one that the asker may read; `undefined` asks for any. */
export function mayRead({ kind, principal }: SessionAsker, asker: SessionAsker | undefined): boolean {
  return asker === undefined || (kind === asker.kind && (principal === null || principal === asker.principal));
}

/**
 * The row of a session.
 *
 * @param items Items of the session in any order; those of an earlier session with the same id do
 * not count.
 * @returns `undefined` if its profile is not among them.
 */
export function toRow(head: Head, items: readonly Item[]): ListedRow | undefined {
  const own = (name: string) => items.find((item) => keyOf(item).item === name && readText(item, 'gen') === head.gen);
  const [profile, record = {}] = [own(PROFILE), own(RECORD)];
  if (profile === undefined) return undefined;
  return {
    id: head.id,
    kind: head.kind,
    principal: head.principal,
    profile: readText(profile, 'profile') ?? '',
    version: readNumber(profile, 'version') ?? 0,
    record: readText(record, 'record') ?? '',
    recordVersion: readNumber(record, 'version') ?? 0,
    createdAt: head.createdAt,
    touchedAt: head.touchedAt,
    expiresAt: head.expiresAt,
    lastSeq: head.lastSeq,
    // No event is missing in the middle of a log.
    counts: { events: head.lastSeq - head.trimmedSeq, stateKeys: head.stateKeys },
  };
}
