import type { Context } from '../context.ts';
import { choiceOf, type Choice } from './ls.ts';

/** Counts live sessions: by kind, or those of a kind and a principal. */
export async function count({ printer, withStore }: Context, given: Choice): Promise<void> {
  const choice = choiceOf(given);
  await withStore(async (store) => {
    if (Object.keys(choice).length > 0) {
      const sessions = await store.count(choice);
      if (printer.json) printer.document({ sessions });
      else printer.line(String(sessions));
      return;
    }
    printer.progress('Counting…');
    const kinds = [...(await store.countByKind())].toSorted(([one], [other]) => (one < other ? -1 : 1));
    printer.progress('');
    if (printer.json) {
      printer.document(Object.fromEntries(kinds));
      return;
    }
    printer.table(
      [{ title: 'KIND' }, { title: 'LIVE', align: 'right' }],
      kinds.map(([kind, sessions]) => [kind, String(sessions)]),
    );
    if (kinds.length === 0) printer.line('The store has no live session.');
  });
}
