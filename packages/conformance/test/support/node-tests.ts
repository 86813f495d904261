// Tests for Node's own runner, started by runner.test.ts.
import { cases, runCase, type OpenStorage } from '@mcp-session/conformance';
import { createMemoryBackend } from '@mcp-session/core/memory';
import { rejects } from 'node:assert/strict';
import { test } from 'node:test';

const open: OpenStorage = () => ({ backend: createMemoryBackend(), reopen: () => createMemoryBackend() });

for (const chosen of cases) {
  if (/^(sessions\.create|state\.compare|sweep\.order)/.test(chosen.id)) {
    void test(`${chosen.id}: ${chosen.title}`, () => runCase(chosen, open));
  }
}

void test('a broken promise rejects', async () => {
  const chosen = cases.find(({ id }) => id.startsWith('sessions.create'));
  const broken: OpenStorage = () => ({
    backend: Object.assign(createMemoryBackend(), { createSession: () => Promise.resolve(false) }),
    reopen: () => createMemoryBackend(),
  });
  await rejects(async () => chosen && (await runCase(chosen, broken)), { name: 'BrokenPromiseError' });
});
