import { SessionError } from '../../src/lib/errors.ts';
import { expect, it, onTestFinished, vi } from 'vitest';
import { errorLog } from '../../src/lib/reports/error-log.ts';

function watch() {
  const written = vi.spyOn(console, 'error').mockImplementation(() => undefined);
  onTestFinished(() => written.mockRestore());
  const clock = { now: 1_000 };
  return {
    log: errorLog('@mcp-session/http', undefined, () => clock.now),
    clock,
    lines: () => written.mock.calls.map(([line]) => String(line)),
  };
}

it('a cause is written once a minute, with how many it stands for', () => {
  const { log, clock, lines } = watch();

  for (let count = 0; count < 1_000; count++) log(new SessionError('STORE_UNAVAILABLE', `Try ${count}`));
  log(new SessionError('STORE_BUSY', 'Busy', { scope: 'session' }));
  for (let count = 0; count < 3; count++) log(new TypeError('mistake'));
  clock.now += 59_999;
  log(new TypeError('mistake'));
  expect(lines()).toEqual([
    '@mcp-session/http: STORE_UNAVAILABLE (store)',
    '@mcp-session/http: STORE_BUSY (session)',
    '@mcp-session/http: unexpected error',
  ]);
  clock.now += 1;
  log(new SessionError('STORE_UNAVAILABLE', 'Again'));
  log(new SessionError('STORE_BUSY', 'Busy', { scope: 'session' }));

  expect(lines().slice(3)).toEqual([
    '@mcp-session/http: STORE_UNAVAILABLE (store), and 999 more since the last line',
    '@mcp-session/http: STORE_BUSY (session)',
  ]);
});

it('remembers a bounded number of causes', () => {
  const { log, lines } = watch();

  for (let count = 0; count <= 100; count++) log(new Error(`message ${count}`));
  log(new Error('message 100'));
  log(new Error('message 0'));

  expect(lines()).toHaveLength(102);
});
