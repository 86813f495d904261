import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';

// What a user can import is a promise: a name that comes or goes needs a changeset, and this list
// with it.
const EXPORTS: Record<string, string[]> = {
  '.': ['EventsTrimmedError', 'REMOVE', 'SessionError', 'StateConflictError', 'StateValidationError'],
  './backend': [
    'FORGET_EVERY',
    'KeyedLock',
    'LEAST_MAX_BYTES',
    'MAX_COMMIT_WRITES',
    'MAX_KEY_BYTES',
    'MAX_TIMER_MS',
    'REMEMBERED_TOKENS',
    'REMEMBERED_TRIMS',
    'backgroundListener',
    'callable',
    'checkOptions',
    'createSessionStore',
    'diagnoseSchema',
    'encodeExact',
    'errorListener',
    'errorListenerOptions',
    'exceeds',
    'flag',
    'judgeCommit',
    'kindOf',
    'oneOf',
    'optional',
    'passes',
    'positive',
    'refuseUndefined',
    'sessionStoreOptions',
    'storeOptionsOf',
    'suggestion',
    'takePage',
    'takeSessions',
    'text',
    'texts',
    'userRecordOptions',
    'versionOf',
    'whole',
  ],
  './transport': [
    'Causes',
    'clientOf',
    'endsListeners',
    'givenTtlOf',
    'isExpired',
    'listenersEnded',
    'processesOf',
    'safeCallback',
    'shortId',
    'tokenLifetime',
    'transportOf',
    'whenOver',
    'writeLine',
  ],
  './memory': ['createMemoryBackend', 'createMemoryStore'],
  './event-store': ['createEventStore', 'isPriming'],
  './handles': ['defineHandle', 'handleErrorResult'],
  './request-state': ['createRequestState'],
};

it.each(Object.entries(EXPORTS))('exports from %s what it promises, and nothing else', async (entry, names) => {
  const module = (await import(`@mcp-session/core${entry.slice(1)}`)) as object;

  expect(Object.keys(module).toSorted()).toEqual(names);
});

it('has no other entry', async () => {
  const manifest = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8')) as {
    exports: Record<string, unknown>;
  };

  expect(Object.keys(manifest.exports)).toEqual(Object.keys(EXPORTS));
});
