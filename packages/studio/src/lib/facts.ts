import type { Session } from '@mcp-session/core';

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

/** Longest text of a client or a version, as a list shows it. */
const MAX_TEXT = 200;

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
    client: clientOf(session) ?? null,
    protocolVersion: textOf(protocol.protocolVersion) ?? null,
    status: textOf(status) ?? null,
  };
}

function clientOf({ protocol }: Session): string | undefined {
  const params = protocol.initializeParams as { readonly clientInfo?: unknown } | null | undefined;
  const info = params?.clientInfo as { readonly name?: unknown; readonly version?: unknown } | null | undefined;
  const name = textOf(info?.name);
  const version = textOf(info?.version);
  return name === undefined || version === undefined ? name : `${name} ${version}`;
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value.slice(0, MAX_TEXT) : undefined;
}
