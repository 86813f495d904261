import { createSessionStore, versionOf, type Diagnosis, type SessionBackend } from '@mcp-session/core/backend';
import type { Context } from '../context.ts';
import { CliError, EXIT } from '../failure.ts';
import { counted, span } from '../output/text.ts';

/** The kind of the records in which nodes of `@mcp-session/http` keep their leases. */
const NODE_KIND = 'node';
/** A lease that ended this long ago is that of a node that did not stop in good order. */
const DEAD_AFTER_MS = 60_000;

const COLOURS = { ok: 'green', warning: 'yellow', failure: 'red' } as const;

/** Looks whether the store is well. Fails if something must be repaired. */
export async function doctor({ printer, withBackend }: Context): Promise<void> {
  await withBackend(async (backend) => {
    const found = [
      {
        check: 'command',
        status: 'ok',
        found: `core ${versionOf('@mcp-session/core', import.meta.url)}, Node ${process.version}`,
      },
      ...((await backend.diagnose?.(Date.now)) ?? []),
      ...(await leasesOf(backend)),
    ] as readonly Diagnosis[];
    if (printer.json) printer.document(found);
    else {
      const width = Math.max(...found.map(({ check }) => check.length));
      for (const { check, status, found: what, remedy } of found) {
        printer.styled(`${printer.style(COLOURS[status], status.padEnd(7))}  ${check.padEnd(width)}  ${what}`);
        if (remedy !== undefined) printer.styled(`${' '.repeat(width + 11)}→ ${remedy}`);
      }
    }
    const failures = found.filter(({ status }) => status === 'failure');
    if (failures.length > 0) {
      const what = failures.map(({ check }) => check).join(', ');
      throw new CliError(`The store is not well: ${what}`, 'Do what the lines above say.', EXIT.unwell);
    }
  });
}

/** Says which nodes ended without giving up their lease. Reads the records of nodes alone. */
async function leasesOf(backend: SessionBackend): Promise<readonly Diagnosis[]> {
  if (((await backend.planMigration?.()) ?? []).length > 0) return [];
  const store = await createSessionStore(backend, { sweep: false });
  const now = Date.now();
  const dead: number[] = [];
  let live = 0;
  let cursor: string | undefined;
  do {
    const page = await store.list({ kind: NODE_KIND, limit: 1_000, cursor });
    for (const { metadata } of page.sessions) {
      const until = metadata['leaseUntil'];
      if (typeof until === 'number' && until < now - DEAD_AFTER_MS) dead.push(until);
      else live++;
    }
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  const latest = dead.length === 0 ? '' : `, the latest ${span(now - Math.max(...dead))} ago`;
  const found = `${counted(live, 'lease')} of nodes held, ${dead.length} run out${latest}`;
  // A lease also runs out while its node rests, so this is no fault by itself.
  return [{ check: 'leases', status: 'ok', found }];
}
