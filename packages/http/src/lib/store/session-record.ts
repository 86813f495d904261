import type { JsonValue, ProtocolFacts } from '@mcp-session/core';
import { transportOf } from '@mcp-session/core/transport';
import type { AnySession } from './session-handle.ts';

/** Where a generation of the standalone stream begins. It ends where the next one begins. */
export interface GenerationStart {
  readonly generation: number;
  /** Id of the last event before the generation. */
  readonly after: string;
}

/** Who owns the standalone stream of a session, and how far the stream was delivered. */
export interface StandaloneRecord {
  /**
   * How often the owner has changed; 0: the stream was never opened. An older owner is fenced off
   * by it.
   */
  readonly epoch: number;
  /** The generation of the newest connection: the epoch of that generation's first connection. */
  readonly generation: number;
  /** The owner: the node on which the newest connection is open. `undefined`: it is closed. */
  readonly nodeId: string | undefined;
  /** When that connection was opened, in Unix milliseconds. */
  readonly since: number | undefined;
  /**
   * Id of the last event that was written to the newest connection; `undefined`: it is open, or
   * unknown.
   */
  readonly written: string | undefined;
  /** Id of the last event that counts as delivered; `undefined`: none does. */
  readonly delivered: string | undefined;
  /** Oldest first. The first generation has no entry. */
  readonly generations: readonly GenerationStart[];
}

/** The server whose lists a session's client is to have. */
export interface KnownServer {
  /** Equal for two servers that present themselves equally to the client. */
  readonly fingerprint: string;
  /** When the newest handler started that recorded a server, in Unix milliseconds. */
  readonly startedAt: number;
  /** When this server was recorded, in Unix milliseconds. */
  readonly recordedAt: number;
  /** Whether the client may have got a list from another server since then. */
  readonly isListStale: boolean;
}

/** What this package keeps with a session and the application does not see. */
export interface SessionRecord {
  /** How often the client's settings were changed. */
  readonly settingsVersion: number;
  /** How often the client reported that its roots changed. */
  readonly rootsVersion: number;
  readonly standalone: StandaloneRecord;
  /** `undefined`: the session was begun by a version of this package that did not record it. */
  readonly server: KnownServer | undefined;
  /** The record by which a platform's id leads to the session; `undefined`: none does. */
  readonly platformRecord: string | undefined;
}

/** Everything that a node has to know of a session to serve it. */
export interface SessionFacts {
  readonly protocol: ProtocolFacts;
  readonly record: SessionRecord;
  /**
   * How long the session lives after its last use, in milliseconds; `undefined`: as the store says.
   * A change that leaves it out keeps it.
   */
  readonly ttlMs?: number | undefined;
}

const NEW_RECORD: SessionRecord = {
  settingsVersion: 0,
  rootsVersion: 0,
  standalone: {
    epoch: 0,
    generation: 1,
    nodeId: undefined,
    since: undefined,
    written: undefined,
    delivered: undefined,
    generations: [],
  },
  server: undefined,
  platformRecord: undefined,
};

/** The facts of a session, as its handle last saw them. */
export function factsOf(session: AnySession): SessionFacts {
  const { protocol, record, ttlMs } = transportOf(session).transport;
  return { protocol, record: decode(record), ttlMs };
}

/**
 * Replaces the facts with the result of `change`, atomically. `change` may be called again with
 * newer facts.
 */
export async function updateFacts(
  session: AnySession,
  change: (current: SessionFacts) => SessionFacts,
): Promise<SessionFacts> {
  const { protocol, record, ttlMs } = await transportOf(session).updateTransport((current) => {
    const next = change({ protocol: current.protocol, record: decode(current.record), ttlMs: current.ttlMs });
    return { ...next, record: encode(next.record) };
  });
  return { protocol, record: decode(record), ttlMs };
}

/** The same for the standalone stream alone. */
export async function updateStandalone(
  session: AnySession,
  change: (current: StandaloneRecord) => StandaloneRecord,
): Promise<StandaloneRecord> {
  const { record } = await updateFacts(session, ({ protocol, record: current }) => ({
    protocol,
    record: { ...current, standalone: change(current.standalone) },
  }));
  return record.standalone;
}

// Only this package writes the record, so that its parts are what this package has written.
function decode(value: JsonValue | undefined): SessionRecord {
  const { standalone, ...others } = (value ?? {}) as Partial<SessionRecord>;
  return { ...NEW_RECORD, ...others, standalone: { ...NEW_RECORD.standalone, ...standalone } };
}

function encode({ standalone, ...others }: SessionRecord): JsonValue {
  return { ...others, standalone: { ...standalone } } as unknown as JsonValue;
}
