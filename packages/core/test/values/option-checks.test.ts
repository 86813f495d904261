import {
  callable,
  checkOptions,
  flag,
  kindOf,
  oneOf,
  optional,
  positive,
  refuseUndefined,
  storeOptionsOf,
  text,
  texts,
  whole,
} from '@mcp-session/core/backend';
import { describe, expect, it } from 'vitest';

const KNOWN = { url: ['connectionString', 'uri'], keepAliveMs: [], leaseMs: [], tablePrefix: [] };

describe('refuseUndefined', () => {
  const DEFAULTS = { url: 'DATABASE_URL' };

  it('refuses an option that is there without a value', () => {
    const refused = new TypeError('Option url is undefined; leave it out to use DATABASE_URL');

    expect(() => refuseUndefined({ url: undefined }, DEFAULTS)).toThrow(refused);
    expect(() => refuseUndefined(Object.create({ url: undefined }) as { url?: unknown }, DEFAULTS)).toThrow(refused);
  });

  it('accepts an option that is left out, any value, and other options', () => {
    expect(refuseUndefined({}, DEFAULTS)).toBeUndefined();
    expect(refuseUndefined({ url: null, leaseMs: undefined }, DEFAULTS)).toBeUndefined();
  });
});

describe('checkOptions', () => {
  it.each([
    ['connectionString', 'url'],
    ['connection_string', 'url'],
    ['URL', 'url'],
    ['ulr', 'url'],
    ['rul', 'url'],
    ['curl', 'url'],
    ['abc', undefined],
    ['keepAlive', 'keepAliveMs'],
    ['leaseMS', 'leaseMs'],
    ['laeseMs', 'leaseMs'],
    ['tabelPrefix', 'tablePrefix'],
    ['prefixes', undefined],
    ['constructor', undefined],
    ['x'.repeat(100_000), undefined],
  ])('answers %s', (given, meant) => {
    const hint = meant === undefined ? 'there are url, keepAliveMs, leaseMs, tablePrefix' : `did you mean ${meant}?`;

    expect(() => checkOptions({ [given]: undefined }, KNOWN)).toThrow(
      new TypeError(`Unknown option ${given}; ${hint}`),
    );
  });

  it('says what the options belong to', () => {
    expect(() => checkOptions({ uri: '' }, KNOWN, 'connect')).toThrow(
      new TypeError('Unknown option uri of connect; did you mean url?'),
    );
    expect(() => checkOptions('x.db', KNOWN, 'connect')).toThrow(
      new TypeError('Options of connect are a string, not an object'),
    );
  });

  it('says what to do instead of giving an option that does not exist', () => {
    const instead = { ssl: 'put ?sslmode=require into url' };

    expect(() => checkOptions({ ssl: true }, KNOWN, undefined, instead)).toThrow(
      new TypeError('Unknown option ssl; put ?sslmode=require into url'),
    );
    expect(() => checkOptions({ uri: '' }, KNOWN, 'connect', instead)).toThrow('did you mean url?');
    expect(() => checkOptions({ toString: '' }, KNOWN, undefined, instead)).toThrow('there are url');
  });

  it('sees inherited names', () => {
    expect(() => checkOptions(Object.create(null, { uri: { enumerable: true } }), KNOWN)).toThrow('did you mean url?');
  });

  it('accepts known names, and no names', () => {
    expect(checkOptions({ url: undefined, leaseMs: 'not looked at' }, KNOWN)).toBeUndefined();
    expect(checkOptions({}, KNOWN)).toBeUndefined();
    expect(checkOptions(Object.create(null), KNOWN)).toBeUndefined();
  });

  it.each([
    [undefined, 'undefined'],
    [null, 'null'],
    ['x.db', 'a string'],
    [7, 'a number'],
    [[], 'an array'],
    [() => undefined, 'a function'],
    [new Map(), 'an object of class Map'],
    [new URL('http://a.example'), 'an object of class URL'],
  ])('refuses %s', (options, kind) => {
    const wanted = kind.startsWith('an object') ? 'a plain object' : 'an object';
    expect(() => checkOptions(options, KNOWN)).toThrow(new TypeError(`Options are ${kind}, not ${wanted}`));
  });

  it('says that a promise must be awaited', () => {
    expect(() => checkOptions(Promise.resolve({}), KNOWN)).toThrow(
      new TypeError('Options are a promise, not an object: await it first'),
    );
  });
});

it('accepts whole numbers between bounds, and uses the fallback for undefined alone', () => {
  expect(positive('n', undefined, 7)).toBe(7);
  expect(positive('n', 1, 7)).toBe(1);
  expect(whole('n', 0, 7, 0)).toBe(0);
  expect(optional('n', undefined)).toBeUndefined();
  expect(optional('n', 5, 5)).toBe(5);
  for (const value of [0, -1, 1.5, Number.NaN, 11]) {
    expect(() => positive('n', value, 7, 10)).toThrow(
      new RangeError(`Option n is ${value}, not a whole number from 1 to 10`),
    );
  }
  for (const value of ['5', null, {}, 5n]) {
    expect(() => optional('n', value)).toThrow(new TypeError('Option n is not a number'));
  }
});

it('accepts texts and lists of texts, and shows none in a message', () => {
  expect(text('s', undefined)).toBeUndefined();
  expect(text('s', undefined, 'd')).toBe('d');
  expect(text('s', 'given', 'd')).toBe('given');
  expect(() => text('s', '')).toThrow(new RangeError('Option s is empty'));
  expect(() => text('s', null)).toThrow(new TypeError('Option s is not a string'));
  expect(texts('l', undefined)).toBeUndefined();
  expect(texts('l', ['a', 'b'])).toEqual(['a', 'b']);
  expect(() => texts('l', 'https://a.example')).toThrow(new TypeError('Option l is a string, not an array of strings'));
  expect(() => texts('l', ['a', undefined])).toThrow(new TypeError('Option l[1] is not a string'));
  expect(() => texts('l', [''])).toThrow(new RangeError('Option l[0] is empty'));
});

it('accepts one of the choices', () => {
  expect(oneOf('c', undefined, ['on', 'off'], 'on')).toBe('on');
  expect(oneOf('c', 'off', ['on', 'off'], 'on')).toBe('off');
  expect(() => oneOf('c', 'of', ['on', 'off'], 'on')).toThrow(new RangeError(`Option c is "of", not 'on' or 'off'`));
  expect(() => oneOf('c', true, ['on', 'off'], 'on')).toThrow(new TypeError('Option c is not a string'));
});

it('accepts flags and functions', () => {
  expect(flag('f', undefined, true)).toBe(true);
  expect(flag('f', false, true)).toBe(false);
  expect(() => flag('f', 'true', true)).toThrow(new TypeError('Option f is not a boolean'));
  expect(callable('f', undefined)).toBeUndefined();
  expect(callable('f', kindOf)).toBe(kindOf);
  expect(() => callable('f', {})).toThrow(new TypeError('Option f is not a function'));
});

it('picks the options of the store from those of a backend', () => {
  const options = { ttlMs: 5, url: 'postgres://x' };

  expect(storeOptionsOf(options)).toEqual({ ttlMs: 5 });
});
