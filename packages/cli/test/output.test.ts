import { stripVTControlCharacters } from 'node:util';
import Database from 'better-sqlite3';
import { expect, it, onTestFinished } from 'vitest';
import { run } from './support/cli.ts';
import { storages } from './support/stores.ts';

async function hostile() {
  const storage = await storages['sqlite']?.();
  if (storage === undefined) throw new Error('no such storage');
  const store = await storage.open();
  const evil = '\u001b[2J\u009b31m\u202egpj.exe\r\n';
  const clientInfo = { name: evil, version: evil };
  const { id, state, events } = await store.create({
    principal: `${evil}${'long '.repeat(40)}`,
    metadata: { [evil]: evil },
    protocol: { initializeParams: { clientInfo } },
  });
  await state.set(evil, evil.repeat(50));
  await events.append('s', { [evil]: 'x'.repeat(5_000) });
  const commands = [['ls'], ['show', id], ['state', id], ['state', id, evil], ['events', id], ['count'], ['doctor']];
  return { args: storage.args, commands, id };
}

it('nothing that a client has chosen reaches the terminal as a command of it', async () => {
  const { args, commands } = await hostile();

  for (const command of [...commands, ...commands.map((each) => [...each, '--json'])]) {
    const { code, stdout } = await run([...command, ...args], { columns: 80, env: { NO_COLOR: '1' } });
    expect(code).toBe(0);
    expect(stdout.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  }
});

it('every line of a command fits 80 columns, whole values apart', async () => {
  const { args, commands } = await hostile();

  for (const command of commands.filter(([, , key]) => key === undefined)) {
    const { stdout } = await run([...command, ...args], { columns: 80 });
    expect(stdout.split('\n').filter((line) => stripVTControlCharacters(line).length > 80)).toEqual([]);
  }
  const wrong = [['ls'], ['ls', '--store', 'x'], ['ls', '--store', 'postgres://me@127.0.0.1:1/x'], ['ls', '--x']];
  for (const command of wrong) {
    const { stderr } = await run(command, { columns: 80 });
    expect(stderr.split('\n').filter((line) => line.length > 80)).toEqual([]);
  }
  for (const command of [['help'], ['help', 'events'], ['help', 'end']]) {
    const { stdout } = await run(command, { columns: 80 });
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
  }
});

it('every line of doctor fits 80 columns, whatever it has found', async () => {
  const lines: string[] = [];
  for (const [name, make] of Object.entries(storages)) {
    const { args, env, open } = await make();
    if (name === 'sqlite') {
      await (await open()).create();
      const database = new Database(args[1]?.slice('sqlite:'.length));
      onTestFinished(() => void database.close());
      const indexes = database.prepare<[], string>(`select name from sqlite_schema where sql like 'create index%'`);
      for (const index of indexes.pluck().all()) database.exec(`drop index "${index}"`);
      expect(indexes.pluck().all()).toEqual([]);
    }
    // Elsewhere there are no tables, which is what new operators see.
    const { stdout } = await run(['doctor', ...args], { columns: 80, env });
    lines.push(...stdout.split('\n'));
  }

  expect(lines.join('\n')).toMatch(/missing: mcp_sessions_\w+, /);
  expect(lines.join('\n')).toContain('→ run mcp-session migrate --s');
  expect(lines.filter((line) => stripVTControlCharacters(line).length > 80)).toEqual([]);
});

it('colours are for terminals only, and not with NO_COLOR', async () => {
  const { args } = await hostile();
  const coloured = async (options: Parameters<typeof run>[1]) => {
    const { stdout } = await run(['ls', ...args], options);
    return stripVTControlCharacters(stdout) !== stdout;
  };

  expect(await coloured({ columns: 80 })).toBe(true);
  expect(await coloured({ columns: 80, env: { NO_COLOR: '1' } })).toBe(false);
  expect(await coloured({})).toBe(false);
});
