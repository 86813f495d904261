import { commit, MIB, NOW, range, readAll, UNLIMITED, write, HOUR } from '../actions.ts';
import { sharedCase, type Case } from '../case.ts';
import { compareBytes, holds, present, same } from '../findings.ts';

const oddKeys = [
  '__proto__',
  'constructor',
  'a',
  'A',
  'a ',
  ' a',
  'a.b',
  "a'b",
  'a"b',
  'a\\b',
  'a/b',
  'a%',
  'a_',
  '$a',
  '\u0000',
  'a\u0000',
  'a\u0000b',
  '\u00e1',
  'a\u0301',
  '\u{1F600}',
  '\u{10FFFF}',
  '\uFFFF',
  '\uFEFFa',
  '\n',
  '0',
  '00',
  '1e3',
  'null',
  'x'.repeat(255),
  '\u{1F600}'.repeat(63),
];

const oddValues = [
  'null',
  'true',
  '0',
  '-0',
  '1.0',
  '1e400',
  '12345678901234567890123',
  '0.1',
  '""',
  '"\\u0000"',
  '"\\ud800"',
  '"\\u00e1"',
  '"\u00e1"',
  '"a\u0301"',
  '"\u{1F600}\u2028\u2029"',
  '[]',
  '{}',
  '{"b":1,"a":2}',
  '{"a":1,"a":2}',
  '{"__proto__":1}',
  ' { "a" : [ 1 , 2 ] } ',
  '"2026-01-01T00:00:00Z"',
  '"\\\\\\""',
];

export const stateCases: readonly Case[] = [
  sharedCase('state.read.keys', 'those asked for that exist', async (t) => {
    const id = await t.createLive();
    await commit(t.backend, id, [write('a', '1'), write('b', 'null'), write('c', '"x"')]);
    const read = async (keys: readonly string[]) => {
      const rows = present(await t.backend.readState(id, keys, NOW), 'readState of a live session');
      return rows.map((row) => [row.key, row.value] as const).toSorted(([a], [b]) => compareBytes(a, b));
    };
    same(await read(['b']), [['b', 'null']], 'readState of a key whose value is null');
    same(
      await read(['c', 'missing', 'a']),
      [
        ['a', '1'],
        ['c', '"x"'],
      ],
      'readState of two keys and one that does not exist',
    );
    same(await read(['missing']), [], 'readState of a key that does not exist');
    same([...(await readAll(t.backend, id)).keys()].toSorted(), ['a', 'b', 'c'], 'readState of all keys');
    await commit(
      t.backend,
      id,
      range(1, 200)
        .map((index) => write(`k${index}`, String(index)))
        .slice(0, 64),
    );
    same(
      (await read(range(1, 200).map((index) => `k${index}`))).length,
      64,
      'number of rows of a readState of 200 keys of which 64 exist',
    );
  }),

  sharedCase('state.read.empty', 'no rows', async (t) => {
    const id = await t.createLive();
    same(await t.backend.readState(id, undefined, NOW), [], 'readState of all keys of a live session without state');
    same(await t.backend.readState(id, ['a'], NOW), [], 'readState of a key of a live session without state');
    await commit(t.backend, id, [write('a', '1')]);
    await commit(t.backend, id, [write('a', undefined)]);
    same(await t.backend.readState(id, undefined, NOW), [], 'readState of all keys after the only one was removed');
  }),

  sharedCase('state.isolation', 'two sessions, one key', async (t) => {
    const [mine, other] = [await t.createLive(), await t.createLive()];
    await commit(t.backend, mine, [write('k', '"mine"')]);
    same((await readAll(t.backend, other)).size, 0, 'keys of another session');
    const first = await t.backend.commitState(
      {
        sessionId: other,
        writes: [write('k', '"other"', 0)],
        limits: { maxKeys: 1, maxBytes: 8 },
        expiresAt: undefined,
      },
      NOW,
    );
    same(
      first,
      { status: 'committed', version: 1, existed: [false] },
      'first commitState of a session while another has the same key',
    );
    same(await t.backend.clearState(other, undefined, NOW), 1, 'clearState of one of two sessions');
    same((await readAll(t.backend, mine)).get('k')?.value, '"mine"', 'value of a session after another was cleared');
    await t.backend.endSession(other, NOW + HOUR, NOW);
    same((await readAll(t.backend, mine)).get('k')?.value, '"mine"', 'value of a session after another was ended');
  }),

  sharedCase('state.keys.bytes', 'every odd key is a key of its own', async (t) => {
    const id = await t.createLive();
    for (const key of oddKeys) await commit(t.backend, id, [write(key, JSON.stringify(key), 0)]);
    const state = await readAll(t.backend, id);
    for (const key of oddKeys) {
      same(state.get(key)?.value, JSON.stringify(key), `value of the key ${JSON.stringify(key)} among all keys`);
      const rows = await t.backend.readState(id, [key], NOW);
      same(
        rows?.map((row) => row.key),
        [key],
        `readState of the key ${JSON.stringify(key)}`,
      );
    }
    same(state.size, oddKeys.length, 'number of keys');
    for (const [index, key] of oddKeys.entries()) {
      const result = await commit(t.backend, id, [write(key, undefined, index + 1)]);
      same(result.status, 'committed', `removal of the key ${JSON.stringify(key)}`);
    }
    same((await readAll(t.backend, id)).size, 0, 'number of keys after each was removed');
  }),

  sharedCase('state.values.bytes', 'no value is read, ordered or rounded', async (t) => {
    const id = await t.createLive();
    await commit(
      t.backend,
      id,
      oddValues.map((value, index) => write(`k${index}`, value)),
    );
    const state = await readAll(t.backend, id);
    for (const [index, value] of oddValues.entries()) same(state.get(`k${index}`)?.value, value, `the value ${value}`);
  }),

  sharedCase('state.values.large', 'up to what the capabilities name', async (t) => {
    const id = await t.createLive();
    const sizes = [...new Set([MIB, Math.min(t.capabilities.maxValueBytes, 4 * MIB)])];
    for (const size of sizes) {
      // Not only ASCII, not easy to compress, and of exactly this many bytes.
      const body = '\u{1F600}\u00e1 \\"'.repeat(Math.floor((size - 2) / 9));
      const value = `"${body}${'x'.repeat(size - 2 - Buffer.byteLength(body))}"`;
      same(Buffer.byteLength(value), size, 'bytes of the value that the case made');
      same(
        (await commit(t.backend, id, [write('large', value)])).status,
        'committed',
        `commitState of a value of ${size} bytes`,
      );
      const rows = await t.backend.readState(id, ['large'], NOW);
      holds(rows?.[0]?.value === value, `a value of ${size} bytes did not come back as it was written`);
    }
  }),

  sharedCase('state.clear', 'counts what it removes, and counts as a commit', async (t) => {
    const id = await t.createLive();
    const [first = t.backend, second = t.backend] = await t.handles(2);
    same(await first.clearState(id, undefined, NOW), 0, 'clearState of a session without state');
    const result = await commit(
      first,
      id,
      range(1, 60).map((index) => write(`k${index}`, '1')),
    );
    same(result.status === 'committed' && result.version, 2, 'version of the first commit after a clear');
    same(await second.clearState(id, undefined, NOW), 60, 'clearState of a session with 60 keys');
    same((await readAll(first, id)).size, 0, 'keys after clearState');
    const limited = {
      sessionId: id,
      writes: [write('k', '1')],
      limits: { maxKeys: 1, maxBytes: 2 },
      expiresAt: undefined,
    };
    same(
      await first.commitState(limited, NOW),
      { status: 'committed', version: 4, existed: [false] },
      'commitState up to the limits after clearState',
    );
  }),

  sharedCase('state.commit.size', '64 keys at once', async (t) => {
    const id = await t.createLive();
    const writes = range(1, 64).map((index) => write(`k${index}`, JSON.stringify('x'.repeat(200)), 0));
    const result = await t.backend.commitState({ sessionId: id, writes, limits: UNLIMITED, expiresAt: undefined }, NOW);
    same(result, { status: 'committed', version: 1, existed: writes.map(() => false) }, 'commitState of 64 keys');
    same((await readAll(t.backend, id)).size, 64, 'keys after a commit of 64');
  }),
];
