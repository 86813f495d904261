import { randomFillSync } from 'node:crypto';
import { v7 } from 'uuid';
import { MAX_KEY_BYTES } from '../contract/limits.ts';
import { SessionError } from '../errors.ts';
import { kindOf } from './option-checks.ts';

/** Kind of a session that was created without one. */
export const DEFAULT_KIND = 'session';

const VISIBLE_ASCII = /^[\x21-\x7e]{1,255}$/;
const KIND = /^[a-z][a-z0-9_-]{0,63}$/;
const MAX_PRINCIPAL_BYTES = 1_024;

/**
 * A new UUID v7 whose 74 random bits all come from the system's secure generator.
 *
 * Without the random bytes, `uuid` counts up within a millisecond, so one id would reveal its
 * neighbour. Without `seq`, the upper 32 of the 74 bits, it would draw 31 and leave the first bit 0
 * (uuid 14, v7.js, v7Sequence).
 */
export function newSessionId(now: number): string {
  const random = crypto.getRandomValues(new Uint8Array(20));
  const seq = new DataView(random.buffer).getUint32(16);
  return v7({ msecs: now, random, seq });
}

const TOKEN_BYTES = 16;
const randomPool = Buffer.alloc(256 * TOKEN_BYTES);
let used = randomPool.length;

/**
 * A new token of an append: 128 random bits as 22 characters of base64url. Asking the system's
 * generator for each takes as long as the rest of a small append, so it fills a pool.
 */
export function newToken(): string {
  if (used === randomPool.length) {
    randomFillSync(randomPool);
    used = 0;
  }
  used += TOKEN_BYTES;
  return randomPool.toString('base64url', used - TOKEN_BYTES, used);
}

export function utf8Bytes(text: string): number {
  return Buffer.byteLength(text, 'utf8');
}

/**
 * Whether a session can have this id (MCP 2025-11-25, basic/transports, Session Management: visible
 * ASCII only).
 */
export function isSessionId(id: unknown): boolean {
  return typeof id === 'string' && VISIBLE_ASCII.test(id);
}

export function isStreamId(streamId: unknown): boolean {
  return typeof streamId === 'string' && VISIBLE_ASCII.test(streamId);
}

export function checkSessionId(id: string): string {
  if (!isSessionId(id)) {
    throw new SessionError('INVALID_SESSION_ID', `Session id ${quote(id)} is not 1 to 255 visible ASCII characters`);
  }
  return id;
}

/** A cursor of a listing is the id of a session. */
export function checkCursor(cursor: string): string {
  if (!isSessionId(cursor)) {
    throw new SessionError('INVALID_SESSION_ID', `Cursor ${quote(cursor)} was not returned by list`);
  }
  return cursor;
}

/** @param subject What the text is to the caller, for the message. */
export function checkKind(kind: string, subject: string = 'Kind'): string {
  if (typeof kind !== 'string' || !KIND.test(kind)) {
    throw new SessionError('INVALID_KIND', `${subject} ${quote(kind)} does not match ${KIND.source}`);
  }
  return kind;
}

/** The principal of one user: not `null`. */
export function checkPrincipal(principal: string): void {
  const fault = faultOfPrincipal(principal);
  if (fault !== undefined) throw invalidPrincipal(fault, '');
}

/** The owner of a session, or `null` for nobody. */
export function checkOwner(principal: string | null): void {
  const fault = principal === null ? undefined : faultOfPrincipal(principal);
  if (fault !== undefined) throw invalidPrincipal(fault, ', or null for nobody');
}

/** The message does not show the principal: it identifies a person. */
function invalidPrincipal(fault: string, or: string): SessionError {
  return new SessionError(
    'INVALID_PRINCIPAL',
    `Principal ${fault}; give a string of 1 to ${MAX_PRINCIPAL_BYTES} bytes${or}`,
  );
}

function faultOfPrincipal(principal: unknown): string | undefined {
  if (typeof principal !== 'string') return `is ${kindOf(principal)}`;
  if (principal === '') return 'is empty';
  if (!principal.isWellFormed()) return 'is not well-formed Unicode';
  if (principal.includes('\0')) return 'contains U+0000';
  return isLonger(principal, MAX_PRINCIPAL_BYTES) ? 'is too long' : undefined;
}

export function checkStreamId(streamId: string): string {
  if (!isStreamId(streamId)) {
    throw new SessionError(
      'INVALID_STREAM_ID',
      `Stream id ${quote(streamId)} is not 1 to 255 visible ASCII characters`,
    );
  }
  return streamId;
}

export function checkStateKey(key: string): string {
  if (typeof key !== 'string' || key === '' || !key.isWellFormed() || isLonger(key, MAX_KEY_BYTES)) {
    throw new SessionError(
      'INVALID_STATE_KEY',
      `State key ${quote(key)} is not a string of 1 to ${MAX_KEY_BYTES} bytes of well-formed UTF-8`,
    );
  }
  return key;
}

/** Counts bytes only if the text may be too long: a UTF-16 code unit makes at most three bytes. */
function isLonger(text: string, maxBytes: number): boolean {
  return text.length * 3 > maxBytes && utf8Bytes(text) > maxBytes;
}

/** An external value in the form that a message may show: quoted, escaped, and truncated. */
export function quote(value: unknown): string {
  if (typeof value !== 'string') return `(${kindOf(value)})`;
  return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value);
}
