import { describe, expect, it } from 'vitest';
import { run } from '../src/command.ts';

const node = (code: string) => ({ file: process.execPath, args: ['--eval', code] });

describe('running a command', () => {
  it('keeps what it wrote to either stream', async () => {
    expect(await run(node('console.log("out"); console.error("err")'))).toEqual({ ok: true, output: 'out\nerr\n' });
  });

  it('says how it failed', async () => {
    const { ok, output } = await run(node('console.log("why"); process.exit(3)'));

    expect(ok).toBe(false);
    expect(output).toBe(`why\n${process.execPath}: exit code 3\n`);
  });

  it('takes a command that is not there for one that failed', async () => {
    expect(await run({ file: 'no-such-command', args: [] })).toEqual({
      ok: false,
      output: 'no-such-command: spawn no-such-command ENOENT\n',
    });
  });

  it('kills a command that takes too long', async () => {
    const { ok, output } = await run({ ...node('setInterval(() => {}, 1_000)'), timeoutMs: 200 });

    expect(ok).toBe(false);
    expect(output).toContain('killed');
  });
});
