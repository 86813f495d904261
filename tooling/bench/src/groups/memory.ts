import { createMemoryStore } from '@mcp-session/core/memory';
import { ours } from '../lib/ours.ts';
import type { Scale, Section } from '../lib/result.ts';
import { measureStore } from '../lib/store-cases.ts';
import { rawMemory } from '../raw/memory.ts';

/** The in-memory store, compared with a plain Map. */
export async function memory(scale: Scale): Promise<Section> {
  const store = await createMemoryStore({ sweep: false });
  const burst = { serial: 0.5, unbatched: 0.5 };
  try {
    return {
      id: 'memory',
      title: 'In memory',
      text: 'Compared with a plain `Map` by hand that holds JSON text, behind asynchronous functions, with the same checks and results: that the session is live, that names and values may be stored, and that each session and the whole store stay below their bounds, with an index by stream. It has no append batches and no tokens, which a database needs, and its long loops do not yield to timers and sockets.',
      rows: await measureStore(
        ours(store),
        rawMemory(),
        { append: 0.5, spread: burst, focused: burst, get: 0.5, set: 0.5, update: 0.5, replay: 0.5 },
        scale,
        10,
      ),
    };
  } finally {
    await store.close();
  }
}
