// Appends until the operating system refuses to let a file grow, then says what was acknowledged
// and what the error was.
import { SessionError } from '@mcp-session/core';
import { createSqliteBackend } from '@mcp-session/sqlite';

// The signal that comes with such a refusal would end the process.
process.on('SIGXFSZ', () => {});
const backend = await createSqliteBackend({ path: process.argv[2] ?? '' });
let acknowledged = 0;
try {
  for (let n = 1; ; n++) {
    const events = [{ streamId: 's', message: JSON.stringify('x'.repeat(10_000)), bytes: 10_002 }];
    await backend.appendEvents([{ sessionId: 'a', token: `token-${n}`, events, expiresAt: undefined }], 1);
    acknowledged = n;
  }
} catch (error) {
  const { code, retryable, outcomeUnknown } = error instanceof SessionError ? error : { code: String(error) };
  process.stdout.write(`${JSON.stringify({ acknowledged, code, retryable, outcomeUnknown })}\n`);
}
