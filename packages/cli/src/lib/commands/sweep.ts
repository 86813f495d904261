import type { Context } from '../context.ts';
import { counted } from '../output/text.ts';

/** Rows of a step. Others can use the database between two steps. */
const STEP_ROWS = 1_000;

/** Removes expired and ended sessions. Live ones stay. */
export async function sweep({ printer, withStore, surroundings: { signal } }: Context): Promise<void> {
  await withStore(async (_, backend) => {
    let removed = 0;
    let done = false;
    while (!done && signal?.aborted !== true) {
      const step = await backend.sweep(STEP_ROWS, Date.now());
      removed += step.ids.length;
      done = step.done;
      printer.progress(`Removed ${counted(removed, 'session')}…`);
    }
    printer.progress('');
    if (printer.json) printer.document({ removed, done });
    else printer.line(`Removed ${counted(removed, 'session')}${done ? '' : '; stopped early'}.`);
  });
}
