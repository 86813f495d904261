import type { ListedSession, Session } from '@mcp-session/core';
import { clientOf } from '@mcp-session/core/transport';

/** A session as the page gets it. Times are Unix milliseconds. */
export interface SessionFacts {
  readonly id: string;
  readonly kind: string;
  readonly principal: string | null;
  readonly createdAt: number;
  readonly lastActiveAt: number;
  readonly expiresAt: number;
  readonly lastSeq: number;
  /** Name and version of the client, as it gave them. */
  readonly client: string | null;
  readonly protocolVersion: string | null;
  /** Status of a task; `null` for other kinds. */
  readonly status: string | null;
}

/** A session of a list. */
export interface ListedFacts extends SessionFacts {
  /** Events in its log. Trimmed ones do not count. */
  readonly events: number;
}

/** Longest text of a fact that a client chose, in UTF-16 code units. */
const MAX_LENGTH = 200;

export function factsOf(session: Session): SessionFacts {
  const { id, kind, principal, createdAt, lastActiveAt, expiresAt, lastSeq, protocol, metadata } = session;
  const status = kind === 'task' ? metadata['status'] : undefined;
  return {
    id,
    kind,
    principal,
    createdAt,
    lastActiveAt,
    expiresAt,
    lastSeq,
    client: textOf(clientOf(protocol)) ?? null,
    protocolVersion: textOf(protocol.protocolVersion) ?? null,
    status: textOf(status) ?? null,
  };
}

export function listedFactsOf(session: ListedSession<unknown>): ListedFacts {
  return { ...factsOf(session as Session), events: session.counts.events };
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value.slice(0, MAX_LENGTH) : undefined;
}
