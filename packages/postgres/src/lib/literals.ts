// Arrays go to the server as text. postgres.js would serialize them only after a query for the types of the database, one on each
// new connection (its option fetch_types), which an owner of a borrowed client may have turned off.
//
// No array holds a null: the server reads one as such only where its setting array_nulls is on, as it is by default.

/** A `text[]`. */
export function textArray(values: readonly string[]): string {
  return `{${values.map((value) => `"${escape(value)}"`).join(',')}}`;
}

/** A `text[]`, and the text that stands in it for what is `undefined`, as none of the values is. */
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

/** A name, quoted. */
export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

// As an escape string: whatever standard_conforming_strings is set to, a backslash then means the same.
/** A text, quoted. */
export function literal(text: string): string {
  return `E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}

/** A table by its whole name, as SQL. */
export function placeOf(
  { schema, tablePrefix }: { readonly schema: string; readonly tablePrefix: string },
  name: string,
): string {
  return `${identifier(schema)}.${identifier(`${tablePrefix}${name}`)}`;
}

/** What encloses the body of a function or block in which names of this schema stand, as none of them holds it: `$function$`. */
export function tagOf(word: string, schema: string): string {
  let tag = word;
  while (schema.includes(`$${tag}$`)) tag += '_';
  return `$${tag}$`;
}
