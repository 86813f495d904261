import { createHash } from 'node:crypto';

/**
 * What an event bus carries when the `subscriptions/listen` streams of a principal are to end, on
 * all nodes. The SDK ignores it.
 */
export interface ListenersEnded {
  readonly kind: 'listeners_ended';
  /** A hash: the log of the bus outlives the principal's sessions, and must name nobody. */
  readonly owner: string;
}

/** Makes the event for a principal. */
export function listenersEnded(principal: string | null): ListenersEnded {
  return { kind: 'listeners_ended', owner: ownerOf(principal) };
}

/** Whether an event of the bus ends the streams of a principal. */
export function endsListeners(event: { readonly kind: string }, principal: string | null): boolean {
  return event.kind === 'listeners_ended' && (event as ListenersEnded).owner === ownerOf(principal);
}

function ownerOf(principal: string | null): string {
  return createHash('sha256').update(JSON.stringify(principal)).digest('base64url');
}
