import type { TransportFacts } from '../api/transport.ts';
import type { SessionRow } from '../contract/rows.ts';
import type { JsonValue } from '../values/json.ts';
import type { Metadata } from '../values/facts.ts';
import { SessionError } from '../errors.ts';
import { utf8Bytes } from '../values/ids.ts';
import { decode, encodeExact } from '../values/json.ts';
import { isPlainObject } from '../values/plain.ts';

/** What core keeps in a session's `profile`. */
export interface Profile extends Omit<TransportFacts, 'record' | 'ttlMs'> {
  readonly metadata: Metadata;
  /** Set only if the session has a TTL of its own. */
  readonly ttlMs?: number;
  readonly maxLifetimeMs?: number;
  /** Ids of the session's default handles, by the names of their definitions. */
  readonly handles?: Readonly<Record<string, string>>;
}

/** What is stored of a session in `profile` and in `record`. */
export interface Facts extends Profile, Omit<TransportFacts, 'ttlMs'> {}

/** The stored texts. */
export type Texts = Pick<SessionRow, 'profile' | 'record'>;

const MAX_BYTES = 262_144;
/** What users call the parts of a profile. */
const PARTS: ReadonlyMap<string, string> = new Map([
  ['metadata', 'Metadata of a session'],
  ['protocol', 'Protocol of a session'],
]);

/**
 * @throws SessionError `NOT_JSON`, `PROFILE_TOO_LARGE`.
 * @throws TypeError if metadata or protocol facts are no object.
 */
export function encodeProfile(profile: Profile): string {
  if (!isPlainObject(profile.metadata)) throw new TypeError('Metadata is not a plain object');
  if (!isPlainObject(profile.protocol)) throw new TypeError('Protocol facts are not a plain object');
  return encodeExact(
    profile,
    () => 'Metadata or protocol facts of a session',
    refuseAbove('Metadata and protocol facts'),
    PARTS,
  );
}

/** @throws SessionError `NOT_JSON`, `PROFILE_TOO_LARGE`. */
export function encodeFacts({ record, ...profile }: Facts): Texts {
  return { profile: encodeProfile(profile), record: encodeRecord(record) };
}

/** @throws SessionError `STORE_CORRUPT` */
export function decodeFacts(texts: Texts): Facts {
  // Older versions kept the record in the profile.
  const { record: former, ...profile } = decode(texts.profile, 'profile') as Facts;
  const record = texts.record === '' ? former : (decode(texts.record, 'record') as JsonValue);
  return record === undefined ? profile : { ...profile, record };
}

function encodeRecord(record: JsonValue | undefined): string {
  if (record === undefined) return '';
  return encodeExact(record, () => 'Record of a transport', refuseAbove('Facts of a transport'));
}

function refuseAbove(subject: string): (text: string) => void {
  return (text) => {
    const bytes = utf8Bytes(text);
    if (bytes <= MAX_BYTES) return;
    throw new SessionError(
      'PROFILE_TOO_LARGE',
      `${subject} of ${bytes} bytes exceed ${MAX_BYTES} bytes; store large values in the state`,
    );
  };
}
