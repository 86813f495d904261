import { expect, it } from 'vitest';
import { remainsAfter } from './lib/orphans.ts';

it('leaves no server and no folder behind after SIGKILL', async () => {
  const { before, after } = await remainsAfter('SIGKILL', 'embedded', ['postgres', 'dynamodb']);
  expect(before).toEqual({ folders: 2, answering: 2 });
  expect(after).toEqual({ folders: [], answering: 0 });
});

it.each(['SIGTERM', 'SIGINT'] as const)('leaves no server and no folder behind after %s', async (signal) => {
  const { before, after } = await remainsAfter(signal, 'embedded', ['postgres']);
  expect(before).toEqual({ folders: 1, answering: 1 });
  expect(after).toEqual({ folders: [], answering: 0 });
});
