import { tmpdir } from 'node:os';
import { runCli } from '@mcp-session/cli';
import { expect, it } from 'vitest';

const surroundings = { stdout: process.stdout, stderr: process.stderr, env: {}, folder: tmpdir() };

it.each<[unknown, unknown, string]>([
  [undefined, surroundings, 'Arguments are undefined, not an array of strings'],
  ['ls', surroundings, 'Arguments are a string, not an array of strings'],
  [['ls', 1], surroundings, 'Argument 1 is a number, not a string'],
  [['ls'], undefined, 'Surroundings are undefined, not an object with stdout, stderr, env and folder'],
  [['ls'], {}, 'Surrounding stdout is undefined, not a stream such as process.stdout'],
  [['ls'], { ...surroundings, stderr: 'x' }, 'Surrounding stderr is a string, not a stream such as process.stderr'],
  [['ls'], { ...surroundings, env: undefined }, 'Surrounding env is undefined, not an object such as process.env'],
  [['ls'], { ...surroundings, folder: undefined }, 'Surrounding folder is undefined, not a path such as process.cwd()'],
  [['ls'], { ...surroundings, signal: 1 }, 'Surrounding signal is a number, not an AbortSignal'],
])('runCli(%j, …) that is called wrongly rejects with what is wrong', async (args, given, message) => {
  await expect(runCli(args as never, given as never)).rejects.toThrow(new TypeError(message));
});

it('runCli takes the signal of a caller, or none', async () => {
  const quiet = { ...surroundings, stdout: { write: () => true } };
  for (const signal of [undefined, AbortSignal.abort()]) expect(await runCli(['help'], { ...quiet, signal })).toBe(0);
});
