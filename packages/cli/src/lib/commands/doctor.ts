import { createSessionStore, versionOf, type Diagnosis, type SessionBackend } from '@mcp-session/core/backend';
import type { Context } from '../context.ts';
import { CliError, EXIT } from '../failure.ts';
import type { Printer } from '../output/printer.ts';
import { hasSchema, MIGRATE } from '../schema.ts';
import { counted, span, wrapped } from '../output/text.ts';

/** The kind of the records in which nodes of `@mcp-session/http` keep their leases. */
const NODE_KIND = 'node';
/** A lease that expired longer ago belongs to a node that did not stop cleanly, in milliseconds. */
const DEAD_AFTER_MS = 60_000;

/** Columns of the first word of a line, and of the space after it. */
const STATUS_WIDTH = 9;
const COLOURS = { ok: 'green', warning: 'yellow', failure: 'red' } as const;

/** Checks the store. Fails if something must be repaired. */
export async function doctor({ printer, withBackend, migrateCommand }: Context): Promise<void> {
  await withBackend(async (backend) => {
    const found: Diagnosis[] = [
      {
        check: 'command',
        status: 'ok',
        found: `core ${versionOf('@mcp-session/core', import.meta.url)}, Node ${process.version}`,
      },
      ...((await backend.diagnose?.(Date.now)) ?? []).map((each) => completed(each, migrateCommand)),
    ];
    // The findings may say why the leases cannot be read, so they are printed in any case.
    const failure = await leasesOf(backend).then(
      (leases) => void found.push(...leases),
      (error: unknown) => ({ error }),
    );
    if (printer.json) printer.document(found);
    else print(printer, found);
    const failures = found.filter(({ status }) => status === 'failure');
    if (failures.length > 0) {
      const what = failures.map(({ check }) => check).join(', ');
      throw new CliError(`Checks failed: ${what}`, 'Follow the arrows above.', EXIT.unhealthy);
    }
    if (failure !== undefined) throw failure.error;
  });
}

/** Backends do not know which options name their tables. */
function completed(finding: Diagnosis, migrateCommand: string): Diagnosis {
  const { remedy } = finding;
  return remedy === undefined ? finding : { ...finding, remedy: remedy.replace(MIGRATE, () => migrateCommand) };
}

/** Writes a line for each finding, and more where a terminal is too narrow for one. */
function print(printer: Printer, findings: readonly Diagnosis[]): void {
  const columns = printer.width ?? Infinity;
  const width = Math.max(...findings.map(({ check }) => check.length));
  // Names of tables can be long. Then what was found begins in a line of its own.
  const isBeside = STATUS_WIDTH + width + 2 <= columns / 2;
  const indent = ' '.repeat(isBeside ? STATUS_WIDTH + width + 2 : STATUS_WIDTH);
  const block = (text: string): string => wrapped(text, columns - indent.length).replaceAll('\n', `\n${indent}`);
  for (const { check, status, found, remedy } of findings) {
    const head = printer.style(COLOURS[status], status.padEnd(STATUS_WIDTH - 2));
    const beside = isBeside ? `${check.padEnd(width)}  ` : `${check}\n${indent}`;
    printer.styled(`${head}  ${beside}${block(found)}`);
    if (remedy !== undefined) printer.styled(`${indent}${block(`→ ${remedy}`)}`);
  }
}

/** Counts the nodes that ended without releasing their lease. Reads only the records of nodes. */
async function leasesOf(backend: SessionBackend): Promise<readonly Diagnosis[]> {
  if (!(await hasSchema(backend))) return [];
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
  const found = `${counted(live, 'lease')} held by nodes, ${dead.length} expired${latest}`;
  // The lease of an idle node also expires, so this alone is no fault.
  return [{ check: 'leases', status: 'ok', found }];
}
