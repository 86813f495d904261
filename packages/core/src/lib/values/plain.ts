/** Whether the value is an object without a class: a literal, or one without a prototype. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

export function nameOfClass(value: object): string {
  const { constructor } = value;
  return typeof constructor === 'function' ? constructor.name : 'unknown';
}
