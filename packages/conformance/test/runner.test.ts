import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

it("cases run with Node's own test runner, where vitest is not installed", async () => {
  const hooks = `import { registerHooks } from 'node:module';
    registerHooks({
      resolve(name, context, next) {
        if (name.startsWith('vitest')) throw new Error('vitest is not installed');
        return next(name, context);
      },
    });`;
  const args = ['--conditions=@mcp-session/source', '--import', `data:text/javascript,${encodeURIComponent(hooks)}`];
  const tests = fileURLToPath(new URL('support/node-tests.ts', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [...args, '--test-reporter=tap', tests]);
  expect(stdout).toMatch(/^# pass ([1-9]\d+)$/m);
  expect(stdout).toMatch(/^# fail 0$/m);
});
