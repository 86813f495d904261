import { execFile } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

/** The examples in doc comments, by the line that the comment documents. */
const examples = globSync('src/**/*.ts', { cwd: root }).flatMap((file) =>
  [...readFileSync(`${root}/${file}`, 'utf8').matchAll(/\/\*\*(?:(?!\*\/).)*?\*\/\s*([^\n]+)/gs)].flatMap(
    ([comment, documented = '']) =>
      [...comment.matchAll(/```ts\n(.*?)```/gs)].map(
        ([, code = '']) => [`${file}: ${documented.trim()}`, code.replaceAll(/^ *\* ?/gm, '')] as const,
      ),
  ),
);

it('there are examples', () => {
  expect(examples.length).toBeGreaterThanOrEqual(5);
});

it.each(examples)('the example of %s prints what it says', async (_, code) => {
  const said = [...code.matchAll(/console\.log\(.*\); \/\/ (.*)/g)].map(([, line]) => line);
  const args = ['--conditions=@mcp-session/source', '--no-warnings', '--input-type=module', '--eval', code];

  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root });

  expect(stdout.trim().split('\n')).toEqual(said);
});
