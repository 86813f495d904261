import { posix } from 'node:path';
import type { Import } from './imports.ts';

/**
 * The folders in `src/lib` of each published package, lowest floor first. A file imports files of
 * its own folder and of lower floors. Names that share a floor do not import each other.
 *
 * A name is a folder or a file. `*` stands for everything directly in `src/lib` that has no name of
 * its own here. A package whose `src/lib` has folders must have an entry.
 */
export const floors: Readonly<Record<string, readonly (readonly string[])[]>> = {
  'packages/core': [
    ['brand.ts'],
    ['errors.ts'],
    ['contract'],
    ['values'],
    ['reports'],
    ['runtime'],
    ['options'],
    ['api'],
    ['handles', 'request-state'],
    ['wake-ups'],
    ['append'],
    ['session'],
    ['events', 'state'],
    ['session.ts'],
    ['sessions.ts'],
    ['user-record.ts'],
    ['store.ts'],
    ['memory'],
  ],
  'packages/conformance': [['requirements'], ['*'], ['cases'], ['generated'], ['cases.ts'], ['describe.ts']],
  'packages/sqlite': [
    ['client'],
    ['*'],
    ['migrate', 'sessions'],
    ['migrate.ts'],
    ['client.ts', 'diagnose.ts', 'events', 'state'],
    ['backend.ts'],
    ['create-store.ts'],
  ],
  'packages/postgres': [
    ['url.ts'],
    ['options.ts'],
    ['client'],
    ['*'],
    ['hints', 'sessions', 'sweep'],
    ['migrate'],
    ['hints.ts', 'migrate.ts', 'sweep.ts', 'state', 'events'],
    ['diagnose.ts'],
    ['backend.ts'],
    ['create-store.ts'],
  ],
  'packages/cli': [
    ['surroundings.ts', 'failure.ts'],
    ['output', 'store-address.ts', 'usage.ts'],
    ['schema.ts'],
    ['context.ts'],
    ['commands'],
    ['program.ts'],
    ['run.ts'],
  ],
  'packages/tasks': [
    ['task-error.ts', 'report.ts', 'params.ts', 'patience.ts', 'awaited.ts', 'refusals.ts', 'task.ts', 'changes.ts'],
    ['task-handle.ts', 'record.ts', 'watch.ts', 'task-v1.ts', 'failure.ts'],
    ['room.ts'],
    ['api.ts', 'options.ts', 'answers.ts', 'arguments.ts'],
    ['access.ts', 'lease.ts'],
    ['worker.ts'],
    ['execute.ts'],
    ['task-store.ts', 'store-v1.ts'],
    ['*'],
  ],
  'packages/otel': [
    ['attributes.ts', 'context.ts', 'metrics.ts', 'names.ts', 'options.ts'],
    ['spans.ts', 'store.ts'],
    ['handler.ts'],
    ['telemetry.ts'],
  ],
  'packages/studio': [
    ['answers.ts', 'page.ts', 'values.ts', 'facts.ts', 'request-check.ts'],
    ['assets.ts', 'body.ts', 'guard.ts', 'options.ts'],
    ['api', 'incoming-body.ts'],
    ['api.ts'],
    ['studio.ts'],
    ['node-listener.ts'],
  ],
  'packages/http': [
    ['runtime'],
    ['protocol'],
    ['store'],
    ['reports'],
    ['stream'],
    ['cluster'],
    ['standalone'],
    ['session'],
    ['request'],
    ['handler'],
    ['sdk', 'adapters'],
  ],
  'packages/dynamodb': [
    ['places.ts'],
    ['options.ts'],
    ['client'],
    ['*'],
    ['head-cache'],
    ['head-cache.ts'],
    ['sessions'],
    ['events', 'migrate', 'state', 'sweep'],
    ['migrate.ts', 'ttl-maintenance.ts'],
    ['diagnose.ts', 'sweep.ts'],
    ['backend.ts'],
    ['create-store.ts'],
  ],
};

const BASE = 'src/lib/';

/** Every import of a package's sources that goes up or sideways, in words. */
export function floorViolations(
  order: readonly (readonly string[])[] | undefined,
  files: readonly string[],
  imports: readonly Import[],
): string[] {
  const inside = files.filter((file) => file.startsWith(BASE));
  if (!order) {
    const folders = new Set(inside.map((file) => nameOf(file)).filter((name) => !name.includes('.')));
    return [...folders].map((name) => `${BASE}${name} has no floor in tooling/workspace/src/floors.ts`);
  }
  const place = (file: string): Place | undefined => placeOf(order, nameOf(file));
  const homeless = inside.filter((file) => !place(file)).map((file) => `${file} is on no floor`);
  return [...homeless, ...unusedNames(order, inside), ...wrongImports(place, imports)];
}

/** Where a file is: its floor, and its name there. */
interface Place {
  readonly floor: number;
  readonly name: string;
}

function nameOf(file: string): string {
  return file.slice(BASE.length).split('/')[0] ?? '';
}

function placeOf(order: readonly (readonly string[])[], name: string): Place | undefined {
  const floor = order.findIndex((names) => names.includes(name));
  if (floor !== -1) return { floor, name };
  const rest = order.findIndex((names) => names.includes('*'));
  return rest === -1 ? undefined : { floor: rest, name: '*' };
}

function unusedNames(order: readonly (readonly string[])[], inside: readonly string[]): string[] {
  const names = new Set(inside.map((file) => nameOf(file)));
  return order
    .flat()
    .filter((name) => name !== '*' && !names.has(name))
    .map((name) => `${BASE}${name} is not there`);
}

function wrongImports(place: (file: string) => Place | undefined, imports: readonly Import[]): string[] {
  return imports.flatMap((found) => {
    if (found.computed || !found.specifier.startsWith('.') || !found.file.startsWith(BASE)) return [];
    const target = targetOf(found);
    const from = place(found.file);
    const to = target.startsWith(BASE) ? place(target) : undefined;
    const down = from && to && (to.floor < from.floor || (to.floor === from.floor && to.name === from.name));
    return down ? [] : [`${found.file} imports ${target}`];
  });
}

/** The file that a relative import names, with its path from the package's folder. */
export function targetOf({ file, specifier }: Pick<Import, 'file' | 'specifier'>): string {
  return posix.join(posix.dirname(file), specifier);
}
