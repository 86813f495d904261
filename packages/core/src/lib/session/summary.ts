import type { ProtocolFacts } from '../values/facts.ts';

/**
 * What may be printed of a session: nothing that lets a reader use the session or read its data.
 */
export interface SessionSummary {
  /** The first part of the id. The whole id of a session without a principal is a credential. */
  readonly id: string;
  readonly kind: string;
  readonly principal: string | null;
  /** Times are ISO 8601. */
  readonly createdAt: string;
  readonly lastActiveAt: string;
  readonly expiresAt: string;
  readonly lastSeq: number;
  readonly protocolVersion: string | undefined;
  /** Name and version of the client, as it gave them. */
  readonly client: string | undefined;
  /** The keys of the metadata, without their values. */
  readonly metadata: readonly string[];
}

/** Facts of a session that {@link summaryOf} reads. */
interface Described {
  readonly id: string;
  readonly kind: string;
  readonly principal: string | null;
  readonly createdAt: number;
  readonly lastActiveAt: number;
  readonly expiresAt: number;
  readonly lastSeq: number;
  readonly metadata: object;
  readonly protocol: ProtocolFacts;
}

/** The latest time that a `Date` holds, in Unix milliseconds. */
const LATEST = 8_640_000_000_000_000;

/** Describes a session for `console.log` and `JSON.stringify`. */
export function summaryOf(session: Described): SessionSummary {
  const { kind, principal, lastSeq, protocol } = session;
  return {
    id: shortId(session.id),
    kind,
    principal,
    createdAt: iso(session.createdAt),
    lastActiveAt: iso(session.lastActiveAt),
    expiresAt: iso(session.expiresAt),
    lastSeq,
    protocolVersion: protocol.protocolVersion,
    client: clientOf(protocol),
    metadata: Object.keys(session.metadata),
  };
}

/**
 * The part of a session's id that may be printed, and `…`: the time of a UUID v7, and at most a
 * quarter of another id, up to 8 characters.
 */
export function shortId(id: string): string {
  const shown = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-/.test(id) ? 13 : Math.min(8, Math.floor(id.length / 4));
  return `${id.slice(0, shown)}…`;
}

function iso(time: number): string {
  return new Date(Math.min(time, LATEST)).toISOString();
}

/** Name and version of a session's client, as it gave them; `undefined`: it gave no name. */
export function clientOf({ initializeParams }: ProtocolFacts): string | undefined {
  const { clientInfo } = (initializeParams ?? {}) as { readonly clientInfo?: { name?: unknown; version?: unknown } };
  const { name, version } = clientInfo ?? {};
  if (typeof name !== 'string') return undefined;
  return typeof version === 'string' ? `${name} ${version}` : name;
}
