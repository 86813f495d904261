import { isPlainObject, nameOfClass } from './plain.ts';

/** A part of a value that JSON would drop or change, other than `undefined`. */
export interface JsonFault {
  /** What it is, such as `an object of class Date`. */
  readonly found: string;
  /** What to give instead. */
  readonly remedy: string;
  /** Path to the part, innermost step first. */
  readonly path: (string | number)[];
}

const MAX_DEPTH = 1_000;

const REMEDIES: Readonly<Record<string, string>> = {
  Date: 'give its toISOString()',
  Map: 'give Object.fromEntries(map)',
  Set: 'give an array of its values',
  Promise: 'await it first',
  Buffer: "give its toString('base64')",
  Uint8Array: 'give it as a base64 string',
};

/**
 * Finds the first fault of a value.
 *
 * @param above The objects that contain the value, to detect cycles. Default: the value has none.
 */
export function findFault(value: unknown, depth: number = 1, above?: Set<object>): JsonFault | undefined {
  if (value === null) return undefined;
  switch (typeof value) {
    case 'string':
    case 'boolean':
    case 'undefined':
      return undefined;
    case 'number':
      return Number.isFinite(value) ? undefined : fault(String(value), 'give null or a string');
    case 'bigint':
      return fault('a bigint', 'give its toString()');
    case 'object':
      break;
    default:
      return fault(`a ${typeof value}`, 'leave it out');
  }
  if (above?.has(value) === true) return fault('a cycle', 'refer to the object by an id');
  if (depth > MAX_DEPTH) return fault(`more than ${MAX_DEPTH} levels`, 'nest it less');
  const own = faultOf(value);
  if (own !== undefined) return own;
  above?.add(value);
  const inside = Array.isArray(value) ? inArray(value, depth, above) : inObject(value, depth, above);
  above?.delete(value);
  return inside;
}

/** Finds what is wrong with an object itself, whatever it contains. */
function faultOf(value: object): JsonFault | undefined {
  if (Array.isArray(value)) {
    const last = Object.keys(value).at(-1);
    // Indexes come first, so any other name would be last.
    if (last !== undefined && !(/^\d+$/.test(last) && Number(last) < value.length)) {
      return fault('an array with properties', 'give a plain object');
    }
  } else {
    if (!isPlainObject(value)) {
      const name = nameOfClass(value);
      return fault(`an object of class ${name}`, REMEDIES[name] ?? 'give a plain object');
    }
    if (Object.getOwnPropertySymbols(value).length > 0) {
      return fault('a property whose name is a symbol', 'use a string as its name');
    }
  }
  // JSON would write its result instead of the value, also for arrays and for hidden or inherited
  // methods.
  return typeof (value as { toJSON?: unknown }).toJSON === 'function'
    ? fault('an object with a method toJSON', 'give what it returns')
    : undefined;
}

function inArray(value: readonly unknown[], depth: number, above: Set<object> | undefined): JsonFault | undefined {
  for (let index = 0; index < value.length; index++) {
    const found = findFault(value[index], depth + 1, above);
    if (found !== undefined) return at(index, found);
  }
  return undefined;
}

function inObject(value: object, depth: number, above: Set<object> | undefined): JsonFault | undefined {
  for (const key of Object.keys(value)) {
    const found = findFault((value as Record<string, unknown>)[key], depth + 1, above);
    if (found !== undefined) return at(key, found);
  }
  return undefined;
}

function at(step: string | number, found: JsonFault): JsonFault {
  found.path.push(step);
  return found;
}

function fault(found: string, remedy: string): JsonFault {
  return { found, remedy, path: [] };
}
