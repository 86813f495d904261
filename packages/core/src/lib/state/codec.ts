import { SessionError } from '../errors.ts';
import { checkStateKey, quote, utf8Bytes } from '../values/ids.ts';
import { decode, encodeExact } from '../values/json.ts';
import { kindOf } from '../values/option-checks.ts';
import type { ResolvedOptions } from '../options/store-options.ts';
import { REMOVE } from '../values/remove.ts';
import type { StateRow, StateWrite } from '../contract/rows.ts';
import { validate, type StandardSchema } from '../values/standard-schema.ts';

/** Encodes values as checked writes and decodes rows, by the store's schemas and limits. */
export class StateCodec {
  /** Whether keys are declared. Otherwise {@link validate} has nothing to do. */
  readonly hasSchemas: boolean;
  readonly #schemas: ResolvedOptions['state'];
  readonly #maxValueBytes: number;

  constructor({ state, stateLimits }: ResolvedOptions) {
    this.#schemas = state;
    this.hasSchemas = state !== undefined;
    this.#maxValueBytes = stateLimits.maxValueBytes;
  }

  isDeclared(key: string): boolean {
    return this.#schemas === undefined || Object.hasOwn(this.#schemas, key);
  }

  /** @throws SessionError `INVALID_STATE_KEY`, `STATE_KEY_UNDECLARED` */
  checkDeclared(key: string): StandardSchema | undefined {
    checkStateKey(key);
    if (this.isDeclared(key)) return this.#schemas?.[key];
    throw new SessionError('STATE_KEY_UNDECLARED', `State key ${quote(key)} is not declared in the option state`);
  }

  /** Checks and encodes a write, all but the key's schema: see {@link validate}. */
  encode(key: string, value: unknown, expectedVersion: number | undefined): StateWrite {
    this.checkDeclared(key);
    if (value === undefined) {
      throw new SessionError('NOT_JSON', `Value of state key ${quote(key)} is undefined; give null, or remove the key`);
    }
    if (value === REMOVE) {
      throw new SessionError('NOT_JSON', `Value of state key ${quote(key)} is REMOVE; call state.remove(key)`);
    }
    const text = encodeExact(
      value,
      () => `Value of state key ${quote(key)}`,
      (written) => this.#checkSize(key, written),
    );
    return { key, value: text, bytes: utf8Bytes(key) + utf8Bytes(text), expectedVersion };
  }

  /** Like {@link encode}. {@link REMOVE} removes the key, declared or not. */
  encodeChange(key: string, value: unknown, expectedVersion: number | undefined): StateWrite {
    return value === REMOVE ? removal(key, expectedVersion) : this.encode(key, value, expectedVersion);
  }

  /**
   * Checks encoded writes by the schemas of their keys.
   *
   * @throws StateValidationError
   */
  async validate(writes: readonly StateWrite[]): Promise<void> {
    await Promise.all(
      writes.map(async ({ key, value }) => {
        const schema = this.#schemas?.[key];
        if (schema !== undefined && value !== undefined) await validate(schema, key, JSON.parse(value), 'given');
      }),
    );
  }

  /** @throws StateValidationError if the value does not fit the key's schema. */
  async parse({ key, value: text }: Pick<StateRow, 'key' | 'value'>): Promise<unknown> {
    const value = decode(text, 'state value');
    const schema = this.#schemas === undefined ? undefined : this.checkDeclared(key);
    return schema === undefined ? value : validate(schema, key, value, 'stored');
  }

  #checkSize(key: string, text: string): void {
    const bytes = utf8Bytes(text);
    if (bytes > this.#maxValueBytes) {
      throw new SessionError(
        'STATE_VALUE_TOO_LARGE',
        `Value of ${bytes} bytes of state key ${quote(key)} exceeds the ${this.#maxValueBytes} bytes of the option stateLimits.maxValueBytes`,
      );
    }
  }
}

/** @throws RangeError */
export function checkVersion(expectedVersion: number): void {
  if (Number.isSafeInteger(expectedVersion) && expectedVersion >= 0) return;
  const given = typeof expectedVersion === 'number' ? expectedVersion : kindOf(expectedVersion);
  throw new RangeError(`Expected version is ${given}, not a whole number from 0`);
}

export function removal(key: string, expectedVersion: number | undefined): StateWrite {
  return { key: checkStateKey(key), value: undefined, bytes: 0, expectedVersion };
}

/** Sorts by the UTF-16 code units of the keys. */
export function sorted(rows: readonly StateRow[]): StateRow[] {
  return rows.toSorted((a, b) => (a.key < b.key ? -1 : 1));
}

/** The error of a write that would exceed a limit of the session. */
export function limitError(limit: 'maxKeys' | 'maxBytes', limits: ResolvedOptions['stateLimits']): SessionError {
  return new SessionError(
    'STATE_LIMIT_EXCEEDED',
    limit === 'maxKeys'
      ? `State would exceed the ${limits.maxKeys} keys of the option stateLimits.maxKeys`
      : `State would exceed the ${limits.maxTotalBytes} bytes of the option stateLimits.maxTotalBytes`,
  );
}
