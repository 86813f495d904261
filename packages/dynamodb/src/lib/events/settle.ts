import type { Connection } from '../connection.ts';
import type { HeadCache, Known } from '../head-cache.ts';
import { Change, number, text } from '../items.ts';
import { headKey } from '../schema.ts';
import { fetchEvents } from './log.ts';

/**
 * Finds out which of a session's newest events every read can see, and stores it in the head.
 *
 * Each append stores what its own process knows. If many processes append and none of them reads,
 * none knows about the others' events.
 */
export async function settle(connection: Connection, cache: HeadCache, { head, settled }: Known): Promise<void> {
  const { sessions } = connection.tables;
  for (let more = true; more && settled.through < head.lastSeq;) {
    const afterSeq = settled.through;
    const stretch = { afterSeq, throughSeq: head.lastSeq, limit: 1_000, maxBytes: 1_048_576, oldestFirst: true };
    const look = await fetchEvents(connection, { sessionId: head.id, streamId: undefined, ...stretch });
    let end = afterSeq;
    for (const { gen, seq } of look.events) {
      if (gen !== head.gen || seq !== end + 1) break;
      end = seq;
    }
    settled.add(afterSeq + 1, end);
    more = look.more && end > afterSeq;
  }
  const change = new Change()
    .set('settledSeq', number(settled.through))
    .when('gen', '=', text(head.gen))
    .when('settledSeq', '<=', number(settled.through));
  const { done } = await connection.update(sessions, headKey(head.id), change);
  if (done) cache.learn({ ...head, settledSeq: settled.through });
}
