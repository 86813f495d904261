import type { Connection } from '../connection.ts';
import { toHead, type Head } from '../head.ts';
import { readNumber, readText, type Item } from '../items.ts';
import { eventKey, headKey } from '../schema.ts';

/**
 * True if an event was appended, by the session's numbers, but no longer exists although no trim
 * removed it. Only a transaction of reads shows this for certain, because it sees other
 * transactions completely or not at all: an event that is only not visible yet is found, or
 * conflicts until it is visible.
 */
export async function isGone(connection: Connection, { id, gen }: Head, seq: number): Promise<boolean> {
  const { sessions, events } = connection.tables;
  const head = { table: sessions, key: headKey(id) };
  const part = (index: number) => ({ table: events, key: eventKey(id, seq, index) });
  const [headItem, first] = await connection.transactGet([head, part(0)]);
  const present = headItem && toHead(headItem);
  // Trimmed meanwhile, or the number belongs to another session.
  if (present === undefined || present.gen !== gen || seq <= present.trimmedSeq || seq > present.lastSeq) return false;
  if (!isOf(first, gen)) return true;
  const parts = readNumber(first ?? {}, 'parts') ?? 1;
  if (parts === 1) return false;
  const others = Array.from({ length: parts - 1 }, (_, index) => part(index + 1));
  const [headAfter, ...found] = await connection.transactGet([head, ...others]);
  const after = headAfter && toHead(headAfter);
  return after?.gen === gen && seq > after.trimmedSeq && !found.every((item) => isOf(item, gen));
}

function isOf(item: Item | undefined, gen: string): boolean {
  return item !== undefined && readText(item, 'gen') === gen;
}
