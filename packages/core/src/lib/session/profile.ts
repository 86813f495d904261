import type { TransportFacts } from '../api/transport.ts';
import type { Metadata } from '../values/facts.ts';
import { SessionError } from '../errors.ts';
import { utf8Bytes } from '../values/ids.ts';
import { decode, encodeExact } from '../values/json.ts';
import { isPlainObject } from '../values/plain.ts';

/** What core keeps in a session's `profile`. */
export interface Profile extends TransportFacts {
  readonly metadata: Metadata;
  /** Set only if the session was created with a TTL of its own. */
  readonly ttlMs?: number;
  readonly maxLifetimeMs?: number;
  /** Ids of the session's default handles, by the names of their definitions. */
  readonly handles?: Readonly<Record<string, string>>;
}

const MAX_PROFILE_BYTES = 262_144;

/**
 * @throws SessionError `NOT_JSON`, `PROFILE_TOO_LARGE`.
 * @throws TypeError if metadata or protocol facts are no object.
 */
export function encodeProfile(profile: Profile): string {
  if (!isPlainObject(profile.metadata)) throw new TypeError('Metadata is not a plain object');
  if (!isPlainObject(profile.protocol)) throw new TypeError('Protocol facts are not a plain object');
  return encodeExact(profile, () => 'Profile of a session', checkSize);
}

function checkSize(text: string): void {
  const bytes = utf8Bytes(text);
  if (bytes > MAX_PROFILE_BYTES) {
    throw new SessionError(
      'PROFILE_TOO_LARGE',
      `Metadata and protocol facts of ${bytes} bytes exceed ${MAX_PROFILE_BYTES} bytes; store large values in the state`,
    );
  }
}

export function decodeProfile(text: string): Profile {
  return decode(text, 'profile') as Profile;
}
