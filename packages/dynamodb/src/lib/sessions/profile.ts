import type { NewSession, SessionAsker, SessionRow } from '@mcp-session/core/backend';
import { number, readNumber, readText, text, type Item } from '../items.ts';
import { dataTtl, PROFILE, type Head } from '../schema.ts';

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

export function isTheirs({ kind, principal }: SessionAsker, asker: SessionAsker | undefined): boolean {
  return asker === undefined || (kind === asker.kind && (principal === null || principal === asker.principal));
}

export function isProfileOf({ gen }: Head, profile: Item | undefined): profile is Item {
  return profile !== undefined && readText(profile, 'gen') === gen;
}

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
