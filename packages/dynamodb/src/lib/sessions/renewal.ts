import type { CancellationReason } from '@aws-sdk/client-dynamodb';
import { isLive, toHead, type Head } from '../head.ts';
import { Change, number, text, type Item } from '../items.ts';
import { headTtl } from '../schema.ts';

/** True if the item is the head of a live session. */
export function isLiveItem(head: Item | undefined, now: number): head is Item {
  return head !== undefined && isLive(toHead(head), now);
}

/**
 * A change of a head, on condition that the session is live.
 *
 * @param known If given, it must also be the same session, not a later one with the same id.
 */
export function whileLive(known: Head | undefined, now: number): Change {
  const change = new Change().whenAbsent('endedAt').when('expiresAt', '>', number(now));
  return known === undefined ? change : change.when('gen', '=', text(known.gen));
}

/**
 * Adds a renewal to a change of a head; `undefined` adds nothing. DynamoDB has no maximum, so a
 * time that is known to be greater is left alone, and for the other times a condition says that
 * they are not.
 */
export function renew(change: Change, known: Head | undefined, expiresAt: number | undefined, now: number): void {
  if (expiresAt === undefined) return;
  if (known === undefined || known.expiresAt < expiresAt) {
    change
      .set('expiresAt', number(expiresAt))
      .set('ttl', number(headTtl(expiresAt)))
      .when('expiresAt', '<=', number(expiresAt));
  }
  if (known === undefined || known.touchedAt < now) {
    change.set('touchedAt', number(now)).when('touchedAt', '<=', number(now));
  }
}

/** The head after a write that renewed it and made other changes. */
export function applyRenewal(
  head: Head,
  expiresAt: number | undefined,
  now: number,
  changes: Partial<Head> = {},
): Head {
  if (expiresAt === undefined) return { ...head, ...changes };
  const times = { expiresAt: Math.max(head.expiresAt, expiresAt), touchedAt: Math.max(head.touchedAt, now) };
  return { ...head, ...times, ...changes };
}

/** True if the condition on an item is why the transaction was cancelled. */
export function conditionFailed(reason: CancellationReason | undefined): reason is CancellationReason {
  return reason?.Code === 'ConditionalCheckFailed';
}
