import type { TransactWriteItem } from '@aws-sdk/client-dynamodb';
import type { StateWrite } from '@mcp-session/core/backend';
import { Change, number, readNumber, readText, text, type Item } from '../items.ts';
import { stateKey, type Head } from '../schema.ts';
import type { KnownKey } from '../head-cache.ts';

/** What an item of the state tells of its key; an item of another epoch or session tells nothing. */
export function toKnownKey(head: Head, item: Item | undefined): KnownKey {
  if (item === undefined || !isOf(head, item)) return undefined;
  return {
    version: readNumber(item, 'version') ?? 0,
    bytes: readNumber(item, 'bytes') ?? 0,
    parts: readNumber(item, 'parts') ?? 1,
  };
}

export function isOf({ gen, epoch }: Head, item: Item): boolean {
  return readText(item, 'gen') === gen && readNumber(item, 'epoch') === epoch;
}

/** The item of a key, on the condition that the key is what it is taken for. */
export function firstItem(
  table: string,
  head: Head,
  write: StateWrite,
  before: KnownKey,
  parts: readonly string[],
  version: number,
  ttl: Item[string],
): TransactWriteItem {
  const change = new Change();
  const key = stateKey(head.id, write.key);
  const epoch = number(head.epoch);
  if (before === undefined) {
    const [gen, other] = [change.name('gen'), change.name('epoch')];
    change.whenTrue(
      `attribute_not_exists(${change.name('id')}) OR ${gen} <> ${change.value(text(head.gen))} OR ${other} <> ${change.value(epoch)}`,
    );
  } else {
    change.when('version', '=', number(before.version)).when('gen', '=', text(head.gen)).when('epoch', '=', epoch);
  }
  const [value] = parts;
  if (value === undefined)
    return before === undefined ? { ConditionCheck: change.check(table, key) } : { Delete: change.delete(table, key) };
  const facts = { bytes: number(write.bytes), parts: number(parts.length) };
  return { Put: change.put(table, { ...partItem(head, write.key, 0, value, version, ttl), ...facts }) };
}

export function otherParts(
  table: string,
  head: Head,
  { key }: StateWrite,
  parts: readonly string[],
  version: number,
  ttl: Item[string],
): TransactWriteItem[] {
  return parts.slice(1).map((value, index) => ({
    Put: new Change().put(table, partItem(head, key, index + 1, value, version, ttl)),
  }));
}

export function oldParts(
  table: string,
  { id }: Head,
  { key }: StateWrite,
  before: KnownKey,
  parts: number,
): TransactWriteItem[] {
  const deletes: TransactWriteItem[] = [];
  for (let part = Math.max(parts, 1); part < (before?.parts ?? 0); part++)
    deletes.push({ Delete: new Change().delete(table, stateKey(id, key, part)) });
  return deletes;
}

function partItem(
  { id, gen, epoch }: Head,
  key: string,
  part: number,
  value: string,
  version: number,
  ttl: NonNullable<Item[string]>,
): Item {
  const { item } = stateKey(id, key, part);
  return {
    id: text(id),
    item: text(item),
    gen: text(gen),
    epoch: number(epoch),
    version: number(version),
    value: text(value),
    ttl,
  };
}
