// Arrays go to the server as text. postgres.js would serialize them only after a query for the types of the database, one on each
// new connection (its option fetch_types), which an owner of a borrowed client may have turned off.

/** A `text[]`. */
export function textArray(values: readonly (string | undefined)[]): string {
  return `{${values.map((value) => (value === undefined ? 'NULL' : `"${escape(value)}"`)).join(',')}}`;
}

/** An `int4[]` or `int8[]`. */
export function numberArray(values: readonly (number | undefined)[]): string {
  return `{${values.map((value) => value ?? 'NULL').join(',')}}`;
}

/** A `bytea` of a text as UTF-8. To be given as `text` and cast from there: for a parameter of that type postgres.js has a serializer of its own. */
export function utf8(value: string): string {
  return `\\x${Buffer.from(value, 'utf8').toString('hex')}`;
}

/** A `bytea[]` of texts as UTF-8. */
export function utf8Array(values: readonly string[]): string {
  return `{${values.map((value) => `"\\\\x${Buffer.from(value, 'utf8').toString('hex')}"`).join(',')}}`;
}

/**
 * Texts to be taken apart by `string_to_table`: joined by what none of them holds. For messages, which are long and full of quotes, an array takes the client thirty times as
 * long to write and the server twice as long to read.
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
