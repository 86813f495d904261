// Appends to a session of its own, three events a request, and writes each acknowledged number to
// its output until it is killed.
import { createSqliteBackend } from '@mcp-session/sqlite';

const [path = '', sessionId = ''] = process.argv.slice(2);
const backend = await createSqliteBackend({ path });
const live = await backend.readSession(sessionId, 1);
for (let n = live?.lastSeq ?? 0; ;) {
  const events = [1, 2, 3].map((step) => ({ streamId: 's', message: String(n + step), bytes: 1 }));
  const token = `${process.pid}-${n}`;
  const [appended] = await backend.appendEvents([{ sessionId, token, events, expiresAt: undefined }], 1);
  if (appended === undefined || appended instanceof Error) throw appended ?? new Error('not live');
  n = appended.firstSeq + 2;
  const writes = ['left', 'right'].map((key) => ({ key, value: String(n), bytes: 9, expectedVersion: undefined }));
  const limits = { maxKeys: 10, maxBytes: 1_000 };
  await backend.commitState({ sessionId, writes, limits, expiresAt: undefined }, 1);
  // The pipe is written at once: what is not in it was not acknowledged.
  process.stdout.write(`${n}\n`);
}
