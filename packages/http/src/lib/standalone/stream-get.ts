import type { NodeLease } from '../cluster/lease.ts';
import type { StoreHealth } from '../store/health.ts';
import type { StandaloneRecord } from '../store/session-record.ts';
import type { Bounds } from '../stream/bounds.ts';
import type { OpenOptions } from '../stream/open-options.ts';
import type { RetryOptions } from '../stream/retry.ts';

export interface StandaloneContext extends RetryOptions {
  readonly nodeId: string;
  readonly lease: Pick<NodeLease, 'begin' | 'runsUntil' | 'untilOver'>;
  readonly bounds: Bounds;
  readonly health: Pick<StoreHealth, 'write'>;
  readonly keepAliveMs: number;
  /** Whether clients may open the stream. */
  readonly standaloneStream: boolean;
  readonly onError: (error: unknown) => void;
}

/** A GET for a stream of the session, with what was read to answer it. */
export interface StreamGet {
  readonly request: Request;
  /** When the client's token expires, in Unix seconds; `undefined`: never. */
  readonly expiresAt: number | undefined;
  /** The scopes of the client's token. */
  readonly scopes: readonly string[];
  /** The protocol revision that governs the request. */
  readonly revision: string;
  /** The record of the standalone stream, as it was read for this request. */
  readonly record: StandaloneRecord;
  /** Reads the record again. */
  readonly readRecord: () => Promise<StandaloneRecord>;
  /** Number of the session's newest event when the request came. */
  readonly lastSeq: number;
  /**
   * How many events of the session came after the one that the client resumes from. Default: it
   * does not resume.
   */
  readonly resumedBehind?: number;
}

/** What a connection needs of the GET that opens it. */
export function openedBy({
  request,
  expiresAt,
  lastSeq,
  resumedBehind,
}: StreamGet): Pick<OpenOptions, 'request' | 'expiresAt' | 'openedSeq' | 'resumedBehind'> {
  return { request, expiresAt, openedSeq: lastSeq, resumedBehind };
}
