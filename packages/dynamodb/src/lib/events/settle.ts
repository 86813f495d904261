import type { Connection } from '../connection.ts';
import { fetchEvents } from './log.ts';
import { Change, number, text } from '../items.ts';
import { headKey } from '../schema.ts';
import type { Known, Memory } from '../head-cache.ts';

/**
 * Looks which of a session's newest events are visible to every read, and notes it in the session's record.
 *
 * Each append notes what its own process knows. Where many processes append and none of them reads, none knows of the others' events.
 */
export async function settle(connection: Connection, memory: Memory, { head, settled }: Known): Promise<void> {
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
  if (done) memory.learn({ ...head, settledSeq: settled.through });
}
