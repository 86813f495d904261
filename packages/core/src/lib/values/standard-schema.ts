import { StateValidationError } from '../errors.ts';

/**
 * The part of Standard Schema v1 that core uses; its authors provide it for copying
 * (https://standardschema.dev). Any schema of zod 3.24+, valibot 1+, arktype 2+ and others fits.
 */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

/** The answer of a schema: a value, or its issues. */
export type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly { readonly message: string; readonly path?: readonly unknown[] | undefined }[] };

/** Schemas by state key. As a type argument it stands for a store that declares none. */
export type StateSchemas = Readonly<Record<string, StandardSchema>>;

/** The keys that `session.state` accepts: the declared ones, or any text if none are declared. */
export type StateKey<S> = keyof S & string;

/** A value whose type only the caller knows: `any`, as from `JSON.parse`. */
export type UntypedValue = ReturnType<typeof JSON.parse>;

/**
 * The schemas of any store: the default of `SessionStore` and `Session`. It is `any`, because a
 * store takes what its schemas take; a more exact type would fit no store but its own.
 */
export type AnySchemas = UntypedValue;

/**
 * The type of a key's value when read: its schema's output, or {@link UntypedValue} if none are
 * declared.
 */
export type StateOutput<S, K> = string extends keyof S
  ? UntypedValue
  : K extends keyof S
    ? SchemaType<S[K], 'output'>
    : never;

/**
 * The type of a key's value when written: its schema's input, or `unknown` if none are declared.
 * Whether JSON can hold the value is checked on writing.
 */
export type StateInput<S, K> = string extends keyof S ? unknown : K extends keyof S ? SchemaType<S[K], 'input'> : never;

type SchemaType<T, Side extends 'input' | 'output'> = T extends {
  readonly '~standard': { readonly types?: infer Types };
}
  ? NonNullable<Types>[Side & keyof NonNullable<Types>]
  : never;

/**
 * @param which Whether the value is to be stored or is stored already.
 * @throws StateValidationError, also if the schema itself fails.
 */
export async function validate(
  schema: StandardSchema,
  key: string,
  value: unknown,
  which: 'given' | 'stored',
): Promise<unknown> {
  const result = await outcome(schema, key, value, which);
  if (result.issues !== undefined) throw new StateValidationError(key, which, result.issues);
  return result.value;
}

async function outcome(
  schema: StandardSchema,
  key: string,
  value: unknown,
  which: 'given' | 'stored',
): Promise<StandardResult<unknown>> {
  try {
    const result: unknown = await schema['~standard'].validate(value);
    if (typeof result === 'object' && result !== null) return result as StandardResult<unknown>;
  } catch (cause) {
    throw new StateValidationError(key, which, [], { cause });
  }
  throw new StateValidationError(key, which, []);
}
