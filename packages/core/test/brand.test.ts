import { describe, expect, it, vi } from 'vitest';

const own = await import('@mcp-session/core');
// A second copy of the package, as two versions in one `node_modules` make it.
vi.resetModules();
const other = await import('@mcp-session/core');

const CLASSES = ['SessionError', 'StateConflictError', 'EventsTrimmedError', 'StateValidationError'] as const;

it('covers every class that is exported', () => {
  expect(Object.entries(own).flatMap(([name, value]) => (typeof value === 'function' ? [name] : []))).toEqual(
    CLASSES.toSorted(),
  );
});

describe('errors of another copy of the package', () => {
  it.each(CLASSES)('are instances of %s', (name) => {
    const [ofOwn, ofOther] = [made(own)[name], made(other)[name]];

    expect(own[name]).not.toBe(other[name]);
    for (const error of [ofOwn, ofOther]) {
      for (const copy of [own, other]) {
        expect(error).toBeInstanceOf(copy[name]);
        expect(error).toBeInstanceOf(copy.SessionError);
        for (const sibling of CLASSES.filter((each) => each !== name && each !== 'SessionError')) {
          expect(error).not.toBeInstanceOf(copy[sibling]);
        }
      }
    }
  });

  it('are no instances of a subclass that has no brand', () => {
    class Derived extends own.SessionError {}

    expect(new Derived('STORE_FAILED', 'failed')).toBeInstanceOf(Derived);
    expect(new Derived('STORE_FAILED', 'failed')).toBeInstanceOf(other.SessionError);
    expect(made(own).SessionError).not.toBeInstanceOf(Derived);
    expect(made(other).SessionError).not.toBeInstanceOf(Derived);
  });

  it.each([undefined, null, 'STORE_FAILED', {}, new Error('failed')])('are not %s', (value) => {
    expect(value).not.toBeInstanceOf(own.SessionError);
  });
});

function made(copy: typeof own) {
  return {
    SessionError: new copy.SessionError('STORE_FAILED', 'failed'),
    StateConflictError: new copy.StateConflictError('key', 1, 2),
    EventsTrimmedError: new copy.EventsTrimmedError(1, 2),
    StateValidationError: new copy.StateValidationError('key', 'given', []),
  };
}
