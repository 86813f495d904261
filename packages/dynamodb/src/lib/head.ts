import { number, readNumber, readText, text, type Item } from './items.ts';
import { dataTtl, HEAD, headTtl, ownerOf } from './schema.ts';

/** A session's record. */
export interface Head {
  readonly id: string;
  /** Random, new for each session: distinguishes it from an earlier session with the same id. */
  readonly gen: string;
  readonly kind: string;
  readonly principal: string | null;
  readonly createdAt: number;
  readonly touchedAt: number;
  readonly expiresAt: number;
  readonly endedAt: number | undefined;
  readonly purgeAt: number;
  readonly lastSeq: number;
  /**
   * Every read can see all events up to this number, see `Settled`. For processes that have read
   * nothing yet.
   */
  readonly settledSeq: number;
  readonly trimmedSeq: number;
  readonly forgottenSeq: number;
  readonly logBytes: number;
  readonly stateVersion: number;
  readonly stateKeys: number;
  readonly stateBytes: number;
  /**
   * Sum of the `fingerprint`s of all keys. A state that was read in parts is one snapshot if it has
   * this sum.
   */
  readonly stateSum: number;
  /** Incremented by each clear. State keys of an older epoch do not exist. */
  readonly epoch: number;
  /** Every item of the session has at least this time to live, in Unix seconds. */
  readonly dataTtl: number;
  /** True if items are left that nothing reads any more. */
  readonly hasGarbage: boolean;
}

export function toHead(item: Item): Head {
  return {
    id: readText(item, 'id') ?? '',
    gen: readText(item, 'gen') ?? '',
    kind: readText(item, 'kind') ?? '',
    principal: readText(item, 'principal') ?? null,
    createdAt: readNumber(item, 'createdAt') ?? 0,
    touchedAt: readNumber(item, 'touchedAt') ?? 0,
    expiresAt: readNumber(item, 'expiresAt') ?? 0,
    endedAt: readNumber(item, 'endedAt'),
    purgeAt: readNumber(item, 'purgeAt') ?? 0,
    lastSeq: readNumber(item, 'lastSeq') ?? 0,
    settledSeq: readNumber(item, 'settledSeq') ?? 0,
    trimmedSeq: readNumber(item, 'trimmedSeq') ?? 0,
    forgottenSeq: readNumber(item, 'forgottenSeq') ?? 0,
    logBytes: readNumber(item, 'logBytes') ?? 0,
    stateVersion: readNumber(item, 'stateVersion') ?? 0,
    stateKeys: readNumber(item, 'stateKeys') ?? 0,
    stateBytes: readNumber(item, 'stateBytes') ?? 0,
    stateSum: readNumber(item, 'stateSum') ?? 0,
    epoch: readNumber(item, 'epoch') ?? 0,
    dataTtl: readNumber(item, 'dataTtl') ?? 0,
    hasGarbage: item['litter']?.BOOL ?? false,
  };
}

/** The head of a new session. */
export function newHead(head: Pick<Head, 'id' | 'gen' | 'kind' | 'principal' | 'expiresAt'>, now: number): Item {
  const { id, gen, kind, principal, expiresAt } = head;
  const counters = [
    'lastSeq',
    'settledSeq',
    'trimmedSeq',
    'forgottenSeq',
    'logBytes',
    'stateVersion',
    'stateKeys',
    'stateBytes',
  ];
  return {
    id: text(id),
    item: text(HEAD),
    gen: text(gen),
    kind: text(kind),
    ...(principal !== null && { principal: text(principal) }),
    listKind: text(kind),
    listOwner: text(ownerOf(kind, principal)),
    createdAt: number(now),
    touchedAt: number(now),
    expiresAt: number(expiresAt),
    ...Object.fromEntries([...counters, 'stateSum', 'epoch'].map((name) => [name, number(0)])),
    dataTtl: number(dataTtl(expiresAt)),
    ttl: number(headTtl(expiresAt)),
  };
}

/** True if the session is live. */
export function isLive(head: Head, now: number): boolean {
  return head.endedAt === undefined && head.expiresAt > now;
}
