/**
 * Lets `console.log` show what `toJSON` returns, with the name of the class in front
 * (nodejs.org/api/util.html, "Custom inspection functions on objects"). Call it in the static block
 * of the class.
 */
export function printAsJson(printed: abstract new (...args: never[]) => { toJSON(): object }, name: string): void {
  Object.defineProperty(printed.prototype, Symbol.for('nodejs.util.inspect.custom'), {
    value(this: { toJSON(): object }, _depth: number, options: object, inspect: Inspect): string {
      return `${name} ${inspect(this.toJSON(), options)}`;
    },
  });
}

type Inspect = (value: unknown, options: object) => string;
