/**
 * Makes `instanceof` true for the instances that another copy of this package has made.
 *
 * Two versions of this package can be in one process, for instance where the HTTP package and a
 * backend were upgraded at different times. Each copy has classes of its own, so `instanceof` by
 * prototype fails for errors that cross from one copy to the other. The brand is a registered
 * symbol, which all copies share. A subclass that has no brand of its own is checked by prototype
 * as usual.
 *
 * Call it in the static block of the class.
 */
export function brand(branded: abstract new (...args: never[]) => object, name: string): void {
  const key = Symbol.for(`@mcp-session/core/${name}`);
  Object.defineProperty(branded.prototype, key, { value: true });
  Object.defineProperty(branded, Symbol.hasInstance, {
    value(this: unknown, value: unknown): boolean {
      if (this !== branded) return Function.prototype[Symbol.hasInstance].call(this, value);
      return typeof value === 'object' && value !== null && (value as Record<symbol, unknown>)[key] === true;
    },
  });
}
