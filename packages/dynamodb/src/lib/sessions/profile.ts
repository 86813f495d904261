import type { NewSession, SessionAsker, SessionRow } from '@mcp-session/core/backend';
import type { Head } from '../head.ts';
import { number, readNumber, readText, text, type Item } from '../items.ts';
import { dataTtl, PROFILE } from '../schema.ts';

/** The item of a profile. */
export function profileItem({ id, profile }: NewSession, gen: string, version: number, expiresAt: number): Item {
  return {
    id: text(id),
    item: text(PROFILE),
    gen: text(gen),
    profile: text(profile),
    version: number(version),
    ttl: number(dataTtl(expiresAt)),
  };
}

/** True if the session is one that the asker may read; `undefined` asks for any. */
export function mayRead({ kind, principal }: SessionAsker, asker: SessionAsker | undefined): boolean {
  return asker === undefined || (kind === asker.kind && (principal === null || principal === asker.principal));
}

/** True if the item is the profile of this session, not of an earlier one with the same id. */
export function isProfileOf({ gen }: Head, profile: Item | undefined): profile is Item {
  return profile !== undefined && readText(profile, 'gen') === gen;
}

/** A row of a head and its profile. */
export function toRow(head: Head, profile: Item): SessionRow {
  return {
    id: head.id,
    kind: head.kind,
    principal: head.principal,
    profile: readText(profile, 'profile') ?? '',
    version: readNumber(profile, 'version') ?? 0,
    createdAt: head.createdAt,
    touchedAt: head.touchedAt,
    expiresAt: head.expiresAt,
    lastSeq: head.lastSeq,
  };
}
