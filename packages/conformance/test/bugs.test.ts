import { requirements, type OpenStorage } from '@mcp-session/conformance';
import { createMemoryBackend } from '@mcp-session/core/memory';
import { expect, it } from 'vitest';
import { findBrokenPromise } from '../src/lib/case-runner.ts';
import { cases } from '../src/lib/cases.ts';
import type { PlantedBug } from './bugs/bug.ts';
import { bugs } from './bugs/index.ts';
import { memoryRows } from './support/memory-rows.ts';
import { plant } from './support/plant.ts';
import { serveMemory } from './support/serve.ts';

function storageWith({ bug, where }: PlantedBug, index: number): OpenStorage {
  switch (where) {
    case 'memory':
      return () => {
        const backend = plant(createMemoryBackend(), bug);
        return { backend, reopen: () => plant(createMemoryBackend(), bug), rows: () => memoryRows(backend) };
      };
    case 'storage':
      return () => serveMemory({ inStorage: bug });
    case 'handles':
      return () => serveMemory({ inHandles: index });
  }
}

// The cases pass on the same backends without a bug: memory.test.ts and served.test.ts.
for (const [index, planted] of bugs.entries()) {
  it(`a backend that ${planted.name} breaks ${planted.breaks}`, { timeout: 60_000 }, async () => {
    const messages: string[] = [];
    for (const chosen of cases.filter(({ id }) => id === planted.breaks)) {
      const broken = await findBrokenPromise(chosen, storageWith(planted, index), 0);
      if (broken === undefined) continue;
      expect(broken.id).toBe(planted.breaks);
      expect(broken.message).toContain(requirements[planted.breaks]);
      messages.push(broken.message);
      if (broken.message.includes(planted.says)) break;
    }
    expect(messages.join('\n\n')).toContain(planted.says);
    expect(messages).not.toEqual([]);
  });
}
