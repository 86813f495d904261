import { SessionError } from '@mcp-session/core';
import { encodeExact } from '@mcp-session/core/backend';
import type { TaskRecord } from './record.ts';

/**
 * How many bytes of JSON the record of a task may have. The store accepts 256 KiB; the rest is for
 * what else is in the profile of a session, and for the lease and the number of the next worker.
 */
const MAX_RECORD_BYTES = 261_120;
/** How many characters of a status message are kept. */
const MAX_STATUS_LENGTH = 1_024;

/** @throws SessionError `NOT_JSON` */
export function bytesOf(value: object): number {
  try {
    return Buffer.byteLength(JSON.stringify(value));
  } catch (cause) {
    throw new SessionError('NOT_JSON', 'Value of a task is not JSON', { cause });
  }
}

/**
 * Checks that JSON holds a part of a task as it is. The store would name it by its place in the
 * record, which only this package knows.
 *
 * @param subject Names the part in the error.
 * @returns The JSON.
 * @throws SessionError `NOT_JSON`
 */
export function checkJson(value: unknown, subject: () => string): string {
  return encodeExact(value, subject, () => undefined);
}

/** How many bytes the record has left. */
export function roomIn(record: TaskRecord): number {
  return MAX_RECORD_BYTES - bytesOf(record);
}

/**
 * Keeps room in a record for what must always succeed: that another worker takes the task, and that
 * it ends.
 *
 * @throws SessionError `PROFILE_TOO_LARGE`
 */
export function checkRoom(record: TaskRecord): TaskRecord {
  const room = roomIn(record);
  if (room >= 0) return record;
  throw new SessionError(
    'PROFILE_TOO_LARGE',
    `Record of a task has ${MAX_RECORD_BYTES - room} bytes, and may have ${MAX_RECORD_BYTES}; keep large values elsewhere`,
  );
}

/** A status message is for people. Of a longer one, the beginning is kept. */
export function shortened(message: string): string {
  return message.length <= MAX_STATUS_LENGTH ? message : `${message.slice(0, MAX_STATUS_LENGTH - 1).toWellFormed()}…`;
}
