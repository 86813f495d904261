import type { Connection } from '../connection.ts';
import type { Head } from '../head.ts';
import { Change, keyOf, number, readNumber, text, type Item } from '../items.ts';
import { headKey, MAX_TRANSACTION_ITEMS, parseStateKey } from '../schema.ts';
import { addFingerprint, fingerprint } from './fingerprints.ts';
import { isOf } from './items.ts';

/**
 * Removes items of a session's state that nothing reads: those of an older epoch, and parts of
 * replaced values.
 */
export async function removeGarbage(connection: Connection, head: Head): Promise<void> {
  const { sessions } = connection.tables;
  const items = await stateItems(connection, head.id);
  const present = new Map<string, Item>();
  for (const item of items) {
    const { key, part } = parseStateKey(keyOf(item));
    if (part === 0 && isOf(head, item)) present.set(key, item);
  }
  // While only a part of a commit is visible, a new part looks like garbage. A later sweep sees all
  // of it.
  let sum = 0;
  for (const [key, item] of present) sum = addFingerprint(sum, fingerprint(key, readNumber(item, 'version') ?? 0));
  if (present.size !== head.stateKeys || sum !== head.stateSum) return;
  const garbage = items.filter((item) => {
    const { key, part } = parseStateKey(keyOf(item));
    const first = present.get(key);
    const version = first && readNumber(first, 'version');
    return version !== readNumber(item, 'version') || part >= (readNumber(first ?? {}, 'parts') ?? 0);
  });
  // Holds if nothing has been written since the head was read.
  const unchanged = () =>
    new Change().when('gen', '=', text(head.gen)).when('stateVersion', '=', number(head.stateVersion));
  const guard = { ConditionCheck: unchanged().check(sessions, headKey(head.id)) };
  for (let from = 0; from < garbage.length; from += MAX_TRANSACTION_ITEMS - 1) {
    const some = garbage.slice(from, from + MAX_TRANSACTION_ITEMS - 1);
    const deletes = some.map((item) => ({ Delete: new Change().delete(sessions, keyOf(item)) }));
    if ((await connection.transactWrite([guard, ...deletes])) !== undefined) return;
  }
  await connection.update(sessions, headKey(head.id), unchanged().set('litter', { BOOL: false }));
}

async function stateItems(connection: Connection, id: string): Promise<readonly Item[]> {
  const items: Item[] = [];
  const pages = connection.pages({
    TableName: connection.tables.sessions,
    KeyConditionExpression: 'id = :id and begins_with(#item, :keys)',
    ProjectionExpression: 'id, #item, gen, epoch, version, parts',
    ExpressionAttributeNames: { '#item': 'item' },
    ExpressionAttributeValues: { ':id': text(id), ':keys': text('key#') },
  });
  for await (const page of pages) {
    items.push(...page.items);
  }
  return items;
}
