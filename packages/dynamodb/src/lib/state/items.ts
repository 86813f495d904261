import type { TransactWriteItem } from '@aws-sdk/client-dynamodb';
import type { StateWrite } from '@mcp-session/core/backend';
import type { KnownKey } from '../head-cache.ts';
import type { Head } from '../head.ts';
import { Change, number, readNumber, readText, split, text, type Item } from '../items.ts';
import { stateKey, VALUE_PART_BYTES } from '../schema.ts';

/** What all items of a commit share. */
export interface CommitFacts {
  readonly table: string;
  readonly head: Head;
  readonly version: number;
  /** Time to live of the items, in Unix seconds. */
  readonly ttl: number;
}

/** The write of one key. */
export interface KeyWrite {
  readonly write: StateWrite;
  readonly before: KnownKey;
  /** The new value, split into parts; empty if the key is removed. */
  readonly parts: readonly string[];
}

/** @param before For each write, what is known of its key. */
export function toKeyWrites(writes: readonly StateWrite[], before: readonly KnownKey[]): readonly KeyWrite[] {
  return writes.map((write, index) => {
    const parts = write.value === undefined ? [] : split(write.value, VALUE_PART_BYTES);
    return { write, before: before[index], parts };
  });
}

/**
 * What an item of the state shows of its key. An item of another epoch or session shows nothing.
 */
export function toKnownKey(head: Head, item: Item | undefined): KnownKey {
  if (item === undefined || !isOf(head, item)) return undefined;
  return {
    version: readNumber(item, 'version') ?? 0,
    bytes: readNumber(item, 'bytes') ?? 0,
    partCount: readNumber(item, 'parts') ?? 1,
  };
}

/** True if the item is part of the present state of the session. */
export function isOf({ gen, epoch }: Head, item: Item): boolean {
  return readText(item, 'gen') === gen && readNumber(item, 'epoch') === epoch;
}

/** Writes the first item of a key, on condition that the key is as it is known to be. */
export function firstItem(facts: CommitFacts, { write, before, parts }: KeyWrite): TransactWriteItem {
  const { table, head } = facts;
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
  if (value === undefined) {
    return before === undefined ? { ConditionCheck: change.check(table, key) } : { Delete: change.delete(table, key) };
  }
  const sizes = { bytes: number(write.bytes), parts: number(parts.length) };
  return { Put: change.put(table, { ...partItem(facts, write.key, 0, value), ...sizes }) };
}

/** Writes the further parts of a value. */
export function otherParts(facts: CommitFacts, { write, parts }: KeyWrite): TransactWriteItem[] {
  return parts.slice(1).map((value, index) => ({
    Put: new Change().put(facts.table, partItem(facts, write.key, index + 1, value)),
  }));
}

/** Deletes the parts of the old value that the new one does not replace. */
export function oldParts({ table, head }: CommitFacts, { write, before, parts }: KeyWrite): TransactWriteItem[] {
  const deletes: TransactWriteItem[] = [];
  for (let part = Math.max(parts.length, 1); part < (before?.partCount ?? 0); part++) {
    deletes.push({ Delete: new Change().delete(table, stateKey(head.id, write.key, part)) });
  }
  return deletes;
}

function partItem({ head, version, ttl }: CommitFacts, key: string, part: number, value: string): Item {
  const { id, item } = stateKey(head.id, key, part);
  return {
    id: text(id),
    item: text(item),
    gen: text(head.gen),
    epoch: number(head.epoch),
    version: number(version),
    value: text(value),
    ttl: number(ttl),
  };
}
