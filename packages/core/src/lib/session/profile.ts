import { SessionError } from '../errors.ts';
import { utf8Bytes } from '../values/ids.ts';
import { decode, encodeExact, type JsonValue } from '../values/json.ts';
import { isPlainObject } from '../values/plain.ts';

/**
 * What the protocol needs to know of a session on any node (MCP 2025-11-25, basic/lifecycle). All of it is optional: a session
 * need not serve MCP over HTTP.
 */
export interface ProtocolFacts {
  /** Parameters of the client's `initialize` request: its version, capabilities and information. */
  readonly initializeParams?: JsonValue | undefined;
  /** The version that was agreed on. */
  readonly protocolVersion?: string | undefined;
  readonly serverCapabilities?: JsonValue | undefined;
  /** Whether `notifications/initialized` has come. */
  readonly initialized?: boolean | undefined;
  /** The level that `logging/setLevel` asked for last. */
  readonly logLevel?: string | undefined;
  /** URIs that `resources/subscribe` asked for. */
  readonly subscriptions?: readonly string[] | undefined;
  /** Further facts of whoever serves the session, such as how far a stream was delivered. */
  readonly [fact: string]: JsonValue | undefined;
}

/** Facts about a session for its application, such as a user agent or a plan. Small; what changes often belongs in the state. */
export type Metadata = { readonly [key: string]: JsonValue };

/** What core keeps in a session's `profile`. */
export interface Profile {
  readonly metadata: Metadata;
  readonly protocol: ProtocolFacts;
  /** Only where the session was created with its own. */
  readonly ttlMs?: number;
  readonly maxLifetimeMs?: number;
}

const MAX_PROFILE_BYTES = 262_144;

/** @throws SessionError `NOT_JSON`, `PROFILE_TOO_LARGE`. TypeError where metadata or protocol facts are no object. */
export function encodeProfile(profile: Profile): string {
  if (!isPlainObject(profile.metadata)) throw new TypeError('Metadata is not a plain object');
  if (!isPlainObject(profile.protocol)) throw new TypeError('Protocol facts are not a plain object');
  return encodeExact(profile, () => 'Profile of a session', checkSize);
}

function checkSize(text: string): void {
  const bytes = utf8Bytes(text);
  if (bytes > MAX_PROFILE_BYTES)
    throw new SessionError(
      'PROFILE_TOO_LARGE',
      `Metadata and protocol facts of ${bytes} bytes exceed ${MAX_PROFILE_BYTES} bytes; what is large belongs in the state`,
    );
}

export function decodeProfile(text: string): Profile {
  return decode(text, 'profile') as Profile;
}
