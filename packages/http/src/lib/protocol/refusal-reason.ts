/**
 * Why an HTTP request was refused. There are no other values, and none comes from a client:
 *
 * | reason | status |
 * | --- | --- |
 * | `bad-request` | 400, and every 4xx that has no other reason |
 * | `forbidden` | 403: the host, the origin or a scope |
 * | `session-not-found` | 404 |
 * | `not-acceptable` | 405, 406, 415 |
 * | `stream-taken` | 409 |
 * | `events-trimmed` | 410 |
 * | `too-large` | 413 |
 * | `too-many-sessions` | 429 |
 * | `too-many-requests` | 429 for one session or principal, 503 for the process |
 * | `too-many-streams` | 429 for one principal, 503 for the process |
 * | `application` | what `onSessionCreate` said |
 * | `store` | 503: the store failed |
 * | `closing`, `moving` | 503: the handler closes, the session moves |
 * | `not-ready` | 503: the server is not made in time |
 * | `internal` | 500 |
 */
export type RefusalReason =
  | 'application'
  | 'bad-request'
  | 'closing'
  | 'events-trimmed'
  | 'forbidden'
  | 'internal'
  | 'moving'
  | 'not-acceptable'
  | 'not-ready'
  | 'session-not-found'
  | 'store'
  | 'stream-taken'
  | 'too-large'
  | 'too-many-requests'
  | 'too-many-sessions'
  | 'too-many-streams';

const BY_STATUS: ReadonlyMap<number, RefusalReason> = new Map([
  [403, 'forbidden'],
  [404, 'session-not-found'],
  [405, 'not-acceptable'],
  [406, 'not-acceptable'],
  [409, 'stream-taken'],
  [410, 'events-trimmed'],
  [413, 'too-large'],
  [415, 'not-acceptable'],
  [429, 'too-many-requests'],
]);

/** The reason of a status that has only one. */
export function reasonOf(status: number): RefusalReason {
  return BY_STATUS.get(status) ?? (status < 500 ? 'bad-request' : 'internal');
}
