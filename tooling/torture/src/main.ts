// Searches for broken promises of the backends that processes share.
//
//   main.ts                                  a minute on each backend
//   main.ts --backend postgres --minutes 60  longer, on one backend
//   main.ts --seed 42                        the same choices again
//   main.ts --bug lost-append                with a planted bug, which the run must find
//   main.ts --no-faults                      without kills and failing databases
//   main.ts --tasks 1000 --minutes 2         tasks instead, whose processes are killed
import { parseArgs } from 'node:util';
import { backendNames, type BackendName } from './lib/backends.ts';
import { bugNames } from './lib/bugs.ts';
import type { RoundReport } from './lib/run-round.ts';
import { taskBugNames } from './lib/tasks/bugs.ts';
import { tortureTasks } from './lib/tasks/torture.ts';
import { torture } from './lib/torture.ts';

/** How many problems of a round are printed. */
const SHOWN = 20;

const { values } = parseArgs({
  options: {
    backend: { type: 'string' },
    minutes: { type: 'string', default: '1' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1_000_000)) },
    workers: { type: 'string', default: '3' },
    bug: { type: 'string' },
    faults: { type: 'boolean', default: true },
    url: { type: 'string' },
    tasks: { type: 'string' },
  },
  allowNegative: true,
});
const backends = (values.backend?.split(',') ?? backendNames) as readonly BackendName[];
const unknown = backends.filter((name) => !backendNames.includes(name));
const minutes = Number(values.minutes);
const workers = Number(values.workers);
const tasks = values.tasks === undefined ? undefined : Number(values.tasks);
const bugs = tasks === undefined ? bugNames : taskBugNames;
const mistake =
  unknown.length > 0
    ? `No backend "${unknown.join('", "')}": there are ${backendNames.join(', ')}`
    : values.bug !== undefined && !bugs.includes(values.bug)
      ? `No bug "${values.bug}": there are ${bugs.join(', ')}`
      : !(minutes > 0)
        ? `Option --minutes is "${values.minutes}", not a number above 0`
        : !(Number.isInteger(workers) && workers > 0)
          ? `Option --workers is "${values.workers}", not a whole number from 1`
          : values.url !== undefined && backends.length !== 1
            ? 'Option --url needs exactly one --backend'
            : tasks !== undefined && !(Number.isInteger(tasks) && tasks > 0)
              ? `Option --tasks is "${values.tasks}", not a whole number from 1`
              : undefined;
if (mistake !== undefined) {
  console.error(mistake);
  process.exit(2);
}

const list = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .map(([name, count]) => `${count} ${name}`)
    .join(', ') || 'no faults';
const line = (report: Omit<RoundReport, 'folder'>): string =>
  `${report.operations} calls, ${report.acknowledged} done, ${report.tails} tails with ${report.delivered} events, ${list(report.faults)}`;

function show({ problems, folder }: Pick<RoundReport, 'problems' | 'folder'>): void {
  for (const problem of problems.slice(0, SHOWN)) console.log(`   PROBLEM ${problem}`);
  if (problems.length > SHOWN) console.log(`   and ${problems.length - SHOWN} more`);
  if (folder !== undefined) console.log(`   Histories: ${folder}`);
  if (problems.length > 0) process.exitCode = 1;
}

for (const backend of backends) {
  console.log(`\n== ${backend}, ${minutes} min, seed ${values.seed}`);
  const run = { backend, ms: minutes * 60_000, seed: values.seed, workers, bug: values.bug, url: values.url };
  if (tasks !== undefined) {
    const { problems, folder, ...counts } = await tortureTasks({ ...run, tasks });
    console.log(`   ${list(counts)}`);
    show({ problems, folder });
    continue;
  }
  const report = await torture({
    ...run,
    faults: values.faults,
    onRound: (round, number) => console.log(`   round ${number}: ${line(round)}`),
  });
  console.log(`   ${line(report)}; ${(report.tookMs / 1_000).toFixed(0)} s`);
  show(report);
}
console.log(process.exitCode === 1 ? '\nA promise is broken' : '\nNo problem was found');
