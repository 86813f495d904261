import { findSession, type Context } from '../context.ts';
import { CliError, EXIT } from '../failure.ts';

/** Shows the state of a session: all keys, or the value of one. */
export async function state(
  { printer, withStore }: Context,
  given: string,
  key: string | undefined,
  kind: string | undefined,
): Promise<void> {
  await withStore(async (store) => {
    const entries = await (await findSession(store, given, kind)).state.snapshot();
    if (key !== undefined) {
      const entry = entries.get(key);
      if (entry === undefined) {
        const remedy = 'List the keys by leaving out the key.';
        throw new CliError('The session has no such key', remedy, EXIT.notFound);
      }
      if (printer.json) printer.document(entry);
      else printer.line(JSON.stringify(entry.value, undefined, 2));
      return;
    }
    if (printer.json) {
      printer.document([...entries].map(([name, entry]) => ({ key: name, ...entry })));
      return;
    }
    printer.table(
      [{ title: 'KEY' }, { title: 'VERSION', align: 'right' }, { title: 'VALUE', flexible: true }],
      [...entries].map(([name, { version, value }]) => [name, String(version), JSON.stringify(value)]),
    );
    if (entries.size === 0) printer.line('The state is empty.');
  });
}
