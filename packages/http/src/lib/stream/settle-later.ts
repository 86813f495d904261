import { setTimeout as pause } from 'node:timers/promises';
import { isFailure } from '../store/health.ts';
import type { AnySession } from '../store/session-handle.ts';

/** Waits before each try, in milliseconds: some ten minutes in all. Then its client goes by the lease of this node. */
const DELAYS_MS = [500, 1_000, 2_000, 5_000, 10_000, ...Array.from({ length: 20 }, () => 30_000)];

/**
 * Settles a request whose answer could not be stored, as soon as the store works again. Its client may be connected to another node, which knows no more than that
 * this one lives, and would let it wait for as long.
 */
export async function settleLater(session: AnySession, streamId: string, message: unknown): Promise<void> {
  for (const delayMs of DELAYS_MS) {
    await pause(delayMs, undefined, { ref: false });
    try {
      await session.events.append(streamId, message, { renew: false });
      return;
    } catch (error) {
      // Any other error is final: the next call to the session reports it.
      if (!isFailure(error)) return;
    }
  }
}
