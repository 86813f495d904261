// Arrays go to the server as text. To serialize them, postgres.js needs a query for the types of
// the database on each new connection (its option fetch_types), which a borrowed client may have
// turned off.
//
// No array has a null: the server reads one only while its setting array_nulls is on, the default.

/** A `text[]`. */
export function textArray(values: readonly string[]): string {
  return `{${values.map((value) => `"${escape(value)}"`).join(',')}}`;
}

/** A `text[]`, and the text that stands for `undefined` in it, which equals no value. */
export function textArrayWithGaps(values: readonly (string | undefined)[]): {
  readonly array: string;
  readonly gap: string;
} {
  let gap = '\u0001';
  while (values.includes(gap)) gap += crypto.randomUUID();
  return { array: textArray(values.map((value) => value ?? gap)), gap };
}

/** An `int4[]` or `int8[]`. */
export function numberArray(values: readonly number[]): string {
  return `{${values.join(',')}}`;
}

/**
 * A `bytea` of a text as UTF-8. Pass it as `text` and cast it, because postgres.js would serialize
 * a `bytea` itself.
 */
export function utf8(value: string): string {
  return `\\x${Buffer.from(value, 'utf8').toString('hex')}`;
}

/** A `bytea[]` of texts as UTF-8. */
export function utf8Array(values: readonly string[]): string {
  return `{${values.map((value) => `"\\\\x${Buffer.from(value, 'utf8').toString('hex')}"`).join(',')}}`;
}

/**
 * Texts for `string_to_table`, joined by a separator that none of them contains. Messages are long
 * and full of quotes: as an array they take the client thirty times as long and the server twice as
 * long.
 */
export function separated(values: readonly string[]): { readonly joined: string; readonly separator: string } {
  let separator = '\u0001';
  while (values.some((value) => value.includes(separator))) separator += crypto.randomUUID();
  return { joined: values.join(separator), separator };
}

const escaped = /["\\]/g;

function escape(text: string): string {
  return text.replace(escaped, '\\$&');
}

/** A quoted name. */
export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/**
 * A quoted text, as an escape string: a backslash in it means the same whatever the setting
 * standard_conforming_strings is.
 */
export function literal(text: string): string {
  return `E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}

/** The full name of a table, as SQL. */
export function placeOf(
  { schema, tablePrefix }: { readonly schema: string; readonly tablePrefix: string },
  name: string,
): string {
  return `${identifier(schema)}.${identifier(`${tablePrefix}${name}`)}`;
}

/** The quotes of a function body, such as `$function$`, which no name of the schema contains. */
export function tagOf(word: string, schema: string): string {
  let tag = word;
  while (schema.includes(`$${tag}$`)) tag += '_';
  return `$${tag}$`;
}
