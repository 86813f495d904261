import type { AttributeValue, ConditionCheck, Delete, Put, Update } from '@aws-sdk/client-dynamodb';

/** An item of a table, in the form of the SDK. */
export type Item = Record<string, AttributeValue>;

/** The key of an item. Both tables have the same key attributes. */
export interface ItemKey {
  readonly id: string;
  readonly item: string;
}

export function text(value: string): AttributeValue {
  return { S: value };
}

export function number(value: number): AttributeValue {
  return { N: String(value) };
}

export function readText(item: Item, name: string): string | undefined {
  return item[name]?.S;
}

export function readNumber(item: Item, name: string): number | undefined {
  const value = item[name]?.N;
  return value === undefined ? undefined : Number(value);
}

export function toKey({ id, item }: ItemKey): Item {
  return { id: text(id), item: text(item) };
}

export function keyOf(item: Item): ItemKey {
  return { id: readText(item, 'id') ?? '', item: readText(item, 'item') ?? '' };
}

/**
 * The expressions of a write, built term by term. Every name gets a placeholder, because many plain
 * words are reserved (docs.aws.amazon.com/amazondynamodb/latest/developerguide/ReservedWords.html).
 */
export class Change {
  readonly #names: Record<string, string> = {};
  readonly #values: Record<string, AttributeValue> = {};
  readonly #sets: string[] = [];
  readonly #removes: string[] = [];
  readonly #conditions: string[] = [];

  name(name: string): string {
    this.#names[`#${name}`] = name;
    return `#${name}`;
  }

  value(value: AttributeValue): string {
    const placeholder = `:v${Object.keys(this.#values).length}`;
    this.#values[placeholder] = value;
    return placeholder;
  }

  set(name: string, value: AttributeValue): this {
    this.#sets.push(`${this.name(name)} = ${this.value(value)}`);
    return this;
  }

  /** Adds to an existing number. */
  add(name: string, value: number): this {
    this.#sets.push(`${this.name(name)} = ${this.name(name)} + ${this.value(number(value))}`);
    return this;
  }

  remove(name: string): this {
    this.#removes.push(this.name(name));
    return this;
  }

  when(name: string, operator: '=' | '<>' | '<=' | '>', value: AttributeValue): this {
    this.#conditions.push(`${this.name(name)} ${operator} ${this.value(value)}`);
    return this;
  }

  whenAbsent(name: string): this {
    this.#conditions.push(`attribute_not_exists(${this.name(name)})`);
    return this;
  }

  whenPresent(name: string): this {
    this.#conditions.push(`attribute_exists(${this.name(name)})`);
    return this;
  }

  /** Adds a condition that was written with {@link name} and {@link value}. */
  whenTrue(condition: string): this {
    this.#conditions.push(`(${condition})`);
    return this;
  }

  get changesNothing(): boolean {
    return this.#sets.length + this.#removes.length === 0;
  }

  update(TableName: string, key: ItemKey): Update & { UpdateExpression: string } {
    const sets = this.#sets.length === 0 ? '' : `SET ${this.#sets.join(', ')} `;
    const removes = this.#removes.length === 0 ? '' : `REMOVE ${this.#removes.join(', ')}`;
    return { ...this.#common(TableName), Key: toKey(key), UpdateExpression: `${sets}${removes}`.trim() };
  }

  check(TableName: string, key: ItemKey): ConditionCheck {
    const { ConditionExpression = '', ...common } = this.#common(TableName);
    return { ...common, ConditionExpression, Key: toKey(key) };
  }

  put(TableName: string, item: Item): Put {
    return { ...this.#common(TableName), Item: item };
  }

  delete(TableName: string, key: ItemKey): Delete {
    return { ...this.#common(TableName), Key: toKey(key) };
  }

  #common(TableName: string) {
    return {
      TableName,
      ReturnValuesOnConditionCheckFailure: 'ALL_OLD' as const,
      ...(this.#conditions.length > 0 && { ConditionExpression: this.#conditions.join(' AND ') }),
      ...(Object.keys(this.#names).length > 0 && { ExpressionAttributeNames: this.#names }),
      ...(Object.keys(this.#values).length > 0 && { ExpressionAttributeValues: this.#values }),
    };
  }
}

/** Splits a text into parts of at most `maxBytes` bytes of UTF-8, without cutting a character. */
export function split(value: string, maxBytes: number): string[] {
  // Most texts are so short that they need not be measured.
  if (value.length * 3 <= maxBytes) return [value];
  const bytes = Buffer.from(value, 'utf8');
  const parts: string[] = [];
  for (let start = 0; start < bytes.length || parts.length === 0;) {
    let end = Math.min(start + maxBytes, bytes.length);
    // A byte that continues a character begins with the bits 10.
    while (end < bytes.length && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
    parts.push(bytes.toString('utf8', start, end));
    start = end;
  }
  return parts;
}
