import { describe, expect, it } from 'vitest';
import { run, type RunOptions } from './support/cli.ts';
import { storages } from './support/stores.ts';

const clientInfo = { name: 'inspector', version: '1.2.0' };
const protocol = { protocolVersion: '2025-11-25', initializeParams: { clientInfo } };

describe.each(Object.keys(storages))('on %s', (name) => {
  async function prepare() {
    const storage = await storages[name]?.();
    if (storage === undefined) throw new Error('no such storage');
    const cli = (args: readonly string[], options: RunOptions = {}) =>
      run([...args, ...storage.args], { env: storage.env, ...options });
    return { storage, cli };
  }

  it('an operator creates the tables, and sees first what that does', async () => {
    const { cli } = await prepare();

    const before = await cli(['ls']);
    expect(before.code).toBe(1);
    if (name !== 'sqlite') expect(before.stderr).toMatch(/create the tables with:\nmcp-session migrate --s/);
    if (name !== 'sqlite') expect((await cli(['doctor'])).code).toBe(4);
    const plan = await cli(['migrate', '--dry-run']);
    expect(plan.code).toBe(0);
    expect(plan.stdout).toContain('create table');
    expect((await cli(['ls'])).code).toBe(1);
    expect(await cli(['migrate'])).toEqual({ code: 0, stdout: 'The store is migrated.\n', stderr: '' });
    expect((await cli(['migrate', '--dry-run'])).stdout).toBe('The store is up to date.\n');
    const doctor = await cli(['doctor', '--json']);
    const found = JSON.parse(doctor.stdout) as { check: string; status: string }[];
    expect(found.filter(({ status }) => status !== 'ok')).toEqual([]);
    expect(doctor.code).toBe(0);
  });

  it('an operator looks at sessions, which renews none, and ends them', async () => {
    const { storage, cli } = await prepare();
    const store = await storage.open();
    const session = await store.create({ principal: 'alice', metadata: { plan: 'free' }, protocol });
    await session.state.set('theme', { dark: true });
    const first = await session.events.append('s', { n: 1 });
    await session.events.append('t', { n: 2 });
    const { id } = await store.create();
    await store.create({ principal: 'alice' });
    const times = async () => {
      const { expiresAt, lastActiveAt } = (await store.inspect(session.id)) ?? {};
      return { expiresAt, lastActiveAt };
    };
    const before = await times();

    const listed = JSON.parse((await cli(['ls', '--json'])).stdout) as { sessions: { id: string }[] };
    expect(listed.sessions.map((each) => each.id)).toContain(session.id);
    expect((await cli(['ls', '--anonymous'])).stdout).toContain(id);
    expect((await cli(['ls', '--principal', 'alice', '--limit', '1'])).stdout).toContain('Continue with: --cursor ');
    expect(JSON.parse((await cli(['count', '--json'])).stdout)).toEqual({ session: 3 });
    expect((await cli(['count', '--principal', 'alice'])).stdout).toBe('2\n');
    for (const given of [session.id, `${session.id.slice(0, 35)}…`]) {
      const shown = await cli(['show', given]);
      for (const part of [session.id, 'alice', 'inspector 1.2.0', '2025-11-25', '{"plan":"free"}', '1 key']) {
        expect(shown.stdout).toContain(part);
      }
    }
    expect((await cli(['state', session.id])).stdout).toBe('KEY    VERSION  VALUE\ntheme        1  {"dark":true}\n');
    expect((await cli(['state', session.id, 'theme'])).stdout).toBe('{\n  "dark": true\n}\n');
    expect((await cli(['state', session.id, 'other'])).code).toBe(3);
    expect((await cli(['events', session.id, '--stream', 't'])).stdout).toMatch(
      /^ +2 {2}[\d:.]{12} {2}t {2}\{"n":2\}\n$/,
    );
    const after = await cli(['events', session.id, '--after', first, '--json']);
    expect(JSON.parse(after.stdout)).toMatchObject({ seq: 2, streamId: 't', message: { n: 2 } });
    expect((await cli(['events', session.id, '--json'])).stdout.split('\n')).toHaveLength(3);
    expect(await times()).toEqual(before);

    const asked = await cli(['end', '--principal', 'alice']);
    expect(asked).toMatchObject({ code: 2, stdout: '' });
    expect(asked.stderr).toContain('This would end 2 sessions; nothing was ended');
    expect((await cli(['end', '--principal', 'alice', '--yes'])).stdout).toBe('Ended 2 sessions.\n');
    expect((await cli(['end', id])).stdout).toBe('Ended 1 session.\n');
    expect(await cli(['end', id])).toMatchObject({ code: 3, stdout: 'Ended 0 sessions.\n' });
    expect((await cli(['show', id])).code).toBe(3);
    expect((await cli(['sweep'])).stdout).toMatch(/^Removed \d+ sessions?\.\n$/);
  });

  it('a listing counts events and keys, also of a trimmed log', async () => {
    const { storage, cli } = await prepare();
    const store = await storage.open();
    const { id, state, events } = await store.create();
    await state.set('a', 1);
    await state.set('b', 2);
    for (const n of [1, 2, 3]) await events.append('s', n);
    await events.trim({ maxEvents: 2 });

    const listed = JSON.parse((await cli(['ls', '--json'])).stdout) as { sessions: object[] };
    expect(listed.sessions).toMatchObject([{ id, events: 2, stateKeys: 2, lastSeq: 3 }]);
    expect((await cli(['ls'])).stdout).toMatch(/EVENTS {2}KEYS\n.* {2}2 +2\n$/);
  });

  it('events --follow goes on with what a server appends, until it is stopped', async () => {
    const { storage, cli } = await prepare();
    const store = await storage.open();
    const { id, events } = await store.create();
    await events.append('s', 'one');
    const stop = new AbortController();
    const { promise: following, resolve } = Promise.withResolvers<void>();
    const onOutput = (text: string) => {
      if (text.includes('one')) resolve();
      if (text.includes('two')) stop.abort();
    };

    const ran = cli(['events', id, '--follow'], { env: storage.env, signal: stop.signal, onOutput });
    await following;
    await events.append('s', 'two');

    const { code, stdout } = await ran;
    expect(code).toBe(0);
    expect(stdout.split('\n').map((line) => line.split('  ').at(-1))).toEqual(['"one"', '"two"', '']);
  });
});
