import { setTimeout as pause } from 'node:timers/promises';
import type { Answer, Intercept } from './proxy.ts';

type Json = Record<string, unknown>;

/** One item of a transaction, as it goes over the wire. */
interface Part {
  readonly kind: 'Put' | 'Update' | 'Delete' | 'ConditionCheck' | 'Get';
  readonly request: Json;
  readonly key: string;
  /** Its table and the first attribute of its key. */
  readonly partition: string;
}

type Pass = Parameters<Intercept>[2];

/**
 * DynamoDB with no more isolation than its documentation promises, on top of DynamoDB Local, which
 * runs each request alone
 * (docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html, "Isolation
 * levels"):
 *
 * - The items of a transaction become visible one after another, in any order, the last of them
 *   before its answer.
 * - `Query`, `BatchGetItem` and `GetItem` see what is visible. A transaction meets a conflict where
 *   another one is under way on one of its items.
 * - A `Query` beside a transaction on its partition can come back empty. The documentation does not
 *   say so; "read-anomaly" (a public reproducer) reports it.
 */
export class ReadCommitted {
  /** How many answers were empty that should not have been. */
  emptied = 0;
  readonly #mostMs: number;
  readonly #share: number;
  readonly #random: () => number;
  readonly #held = new Map<string, number>();
  readonly #partitions = new Map<string, number>();

  /**
   * @param mostMs How long an item of a transaction can remain invisible that others of it do not.
   * @param share Which part of the transactions becomes visible item by item. The others do so at
   * once.
   */
  constructor(seed: number, { mostMs, share }: { readonly mostMs: number; readonly share: number }) {
    this.#random = generator(seed);
    this.#mostMs = mostMs;
    this.#share = share;
  }

  readonly intercept: Intercept = async (operation, body, pass) => {
    switch (operation) {
      case 'TransactWriteItems':
        return this.#transactWrite(body, pass);
      case 'TransactGetItems':
        return this.#alone(partsOf(body), () => pass(operation, body));
      case 'PutItem':
      case 'UpdateItem':
      case 'DeleteItem':
        return this.#alone([toPart('Update', body)], () => pass(operation, body), 'TransactionConflictException');
      case 'BatchWriteItem':
        return this.#batchWrite(body, pass);
      case 'Query':
        return this.#query(body, pass);
      default:
        return pass(operation, body);
    }
  };

  async #transactWrite(body: Json, pass: Pass): Promise<Answer> {
    const parts = partsOf(body);
    if (!this.#areFree(parts)) return conflict('TransactionCanceledException', parts, ({ key }) => this.#held.has(key));
    const partitions = parts.map(({ partition }) => partition);
    const held = new Set(parts.map(({ key }) => key));
    this.#count(this.#held, [...held], 1);
    this.#count(this.#partitions, partitions, 1);
    try {
      if (this.#random() >= this.#share) return await pass('TransactWriteItems', body);
      const checks = parts.map(({ request }) => ({ ConditionCheck: toCheck(request) }));
      const checked = await pass('TransactWriteItems', { TransactItems: checks });
      if (checked.status !== 200) return checked;
      for (const step of this.#inSteps(parts.filter(({ kind }) => kind !== 'ConditionCheck'))) {
        const answer = await pass('TransactWriteItems', { TransactItems: step.map(withoutCondition) });
        if (answer.status !== 200) throw new Error(`The test double could not write: ${answer.answer}`);
        // The next transaction on these items can begin, though others of this one are not there
        // yet.
        for (const { key } of step) if (held.delete(key)) this.#count(this.#held, [key], -1);
        await pause((this.#random() * this.#mostMs) / 4);
      }
      return checked;
    } finally {
      this.#count(this.#held, [...held], -1);
      this.#count(this.#partitions, partitions, -1);
    }
  }

  async #batchWrite(body: Json, pass: Pass): Promise<Answer> {
    const parts = Object.entries(body['RequestItems'] as Record<string, { readonly DeleteRequest: Json }[]>).flatMap(
      ([TableName, requests]) => requests.map((request) => toPart('Delete', { TableName, ...request.DeleteRequest })),
    );
    while (!this.#areFree(parts)) await pause(1);
    return this.#alone(parts, () => pass('BatchWriteItem', body));
  }

  async #query(body: Json, pass: Pass): Promise<Answer> {
    const values = body['ExpressionAttributeValues'] as Record<string, { readonly S: string }>;
    const underWay = this.#partitions.get(partitionOf(body, values[':id']?.S));
    if (body['ConsistentRead'] === true && underWay !== undefined && this.#random() < 0.1) {
      this.emptied++;
      return { status: 200, answer: JSON.stringify({ Items: [], Count: 0, ScannedCount: 0 }) };
    }
    return pass('Query', body);
  }

  /** Does something that no other transaction gets in the way of, or says that one is. */
  async #alone(
    parts: readonly Part[],
    work: () => Promise<Answer>,
    refusal: string = 'TransactionCanceledException',
  ): Promise<Answer> {
    if (!this.#areFree(parts)) return conflict(refusal, parts, ({ key }) => this.#held.has(key));
    const keys = parts.map(({ key }) => key);
    this.#count(this.#held, keys, 1);
    try {
      return await work();
    } finally {
      this.#count(this.#held, keys, -1);
    }
  }

  #areFree(parts: readonly Part[]): boolean {
    return parts.every(({ key }) => !this.#held.has(key));
  }

  #count(counts: Map<string, number>, names: readonly string[], by: number): void {
    for (const name of names) {
      const count = (counts.get(name) ?? 0) + by;
      if (count === 0) counts.delete(name);
      else counts.set(name, count);
    }
  }

  /** In any order, in up to four steps. */
  #inSteps(writes: readonly Part[]): Part[][] {
    const steps: Part[][] = [[], [], [], []];
    for (const write of writes) steps[Math.floor(this.#random() * 4)]?.push(write);
    return steps.filter((step) => step.length > 0);
  }
}

function partsOf(body: Json): Part[] {
  return (body['TransactItems'] as Record<Part['kind'], Json>[]).flatMap((item) =>
    Object.entries(item).map(([kind, request]) => toPart(kind as Part['kind'], request)),
  );
}

function toPart(kind: Part['kind'], request: Json): Part {
  const { id, item } = (request['Key'] ?? request['Item']) as Record<'id' | 'item', { readonly S: string }>;
  return {
    kind,
    request,
    key: `${String(request['TableName'])} ${id.S} ${item.S}`,
    partition: partitionOf(request, id.S),
  };
}

function partitionOf({ TableName }: Json, id: string | undefined): string {
  return `${String(TableName)} ${id}`;
}

function toCheck({ Item, ...request }: Json): Json {
  const condition =
    (request['ConditionExpression'] as string | undefined) ?? 'attribute_exists(id) OR attribute_not_exists(id)';
  const { id, item } = (Item ?? {}) as Json;
  const { UpdateExpression: _update, ExpressionAttributeNames, ExpressionAttributeValues, ...rest } = request;
  return {
    ...rest,
    Key: request['Key'] ?? { id, item },
    ConditionExpression: condition,
    ...used('ExpressionAttributeNames', ExpressionAttributeNames as Json | undefined, condition),
    ...used('ExpressionAttributeValues', ExpressionAttributeValues as Json | undefined, condition),
  };
}

function withoutCondition({ kind, request }: Part): Json {
  const {
    ConditionExpression: _condition,
    ReturnValuesOnConditionCheckFailure: _values,
    ExpressionAttributeNames,
    ExpressionAttributeValues,
    ...rest
  } = request;
  const expression = (request['UpdateExpression'] as string | undefined) ?? '';
  return {
    [kind]: {
      ...rest,
      ...used('ExpressionAttributeNames', ExpressionAttributeNames as Json | undefined, expression),
      ...used('ExpressionAttributeValues', ExpressionAttributeValues as Json | undefined, expression),
    },
  };
}

/** The placeholders that an expression uses: DynamoDB refuses others. */
function used(name: string, all: Json | undefined, expression: string): Json {
  const placeholders = new Set(expression.match(/[#:]\w+/g));
  const some = Object.entries(all ?? {}).filter(([placeholder]) => placeholders.has(placeholder));
  return some.length === 0 ? {} : { [name]: Object.fromEntries(some) };
}

function conflict(name: string, parts: readonly Part[], isHeld: (part: Part) => boolean): Answer {
  const reasons = parts.map((part) => ({ Code: isHeld(part) ? 'TransactionConflict' : 'None' }));
  const body = {
    __type: `com.amazonaws.dynamodb.v20120810#${name}`,
    message: 'Transaction is ongoing for the item',
    ...(name === 'TransactionCanceledException' && { CancellationReasons: reasons }),
  };
  return { status: 400, answer: JSON.stringify(body) };
}

/** Random numbers from 0 to below 1, the same ones for the same seed (mulberry32). */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
