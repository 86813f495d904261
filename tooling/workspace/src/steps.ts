import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { wrapFiles } from './comments.ts';
import { buildCommand, run } from './command.ts';
import { root, workspacePackages, type WorkspacePackage } from './packages.ts';
import { phrasesOfWorkspace } from './prose.ts';
import { countCheck, countTests, type StepResult, type VitestReport } from './report.ts';

/** A step of a run: its name as the output shows it, and what it does. */
export interface Step {
  readonly name: string;
  /** @param live Whether it may print while it runs. Otherwise everything is in its output. */
  readonly run: (live: boolean) => Promise<StepResult & { readonly output: string }>;
}

/** Ends a run that hangs. A busy machine takes several times as long as an idle one. */
const VITEST_TIMEOUT_MS = 1_500_000;

/** The packages whose tests take longest. They start first, so that none of them ends alone. */
const LONGEST = [
  'packages/http',
  'packages/dynamodb',
  'tooling/packaging',
  'packages/postgres',
  'examples/quickstart',
  'tooling/torture',
  'packages/sqlite',
  'packages/conformance',
  'packages/tasks',
  'tooling/platforms',
];

/** Everything that can be checked without running the code. */
export function checks(): Step[] {
  return [
    check('format', 'oxfmt', ['--check']),
    check('lint', 'oxlint', []),
    finding('comment width', 'Wider than 100 columns; "pnpm format" wraps them:', () => wrapFiles(false)),
    finding('prose', 'Phrases that docs/style.md does without:', phrasesOfWorkspace),
    ...workspacePackages()
      // Code for a browser has types of its own.
      .flatMap(({ folder }) => [folder, `${folder}/page`])
      .filter((folder) => existsSync(join(root, folder, 'tsconfig.json')))
      .map((folder) => check(`types of ${folder}`, 'tsc', ['--project', folder])),
    check('dead code', 'knip', ['--no-progress', '--no-config-hints']),
    check('duplicates', 'jscpd', ['packages', 'tooling', 'examples']),
  ];
}

/** Builds the published packages, from the cache if nothing has changed. */
export function build(): Step {
  return check('build', ...buildCommand);
}

/**
 * One run of vitest for each package; `folders` narrows it, and naming one that has none is an
 * error.
 */
export function tests(folders: readonly string[]): Step[] {
  const packages = workspacePackages();
  const unknown = folders.filter((folder) => !packages.some((pkg) => pkg.folder === folder));
  if (unknown.length > 0) throw new RangeError(`No package in ${unknown.map((folder) => `"${folder}"`).join(', ')}`);
  const place = ({ folder }: WorkspacePackage) => (LONGEST.includes(folder) ? LONGEST.indexOf(folder) : LONGEST.length);
  return packages
    .filter((pkg) => (folders.length > 0 ? folders.includes(pkg.folder) : hasTests(pkg)))
    .toSorted((one, other) => place(one) - place(other))
    .map((pkg) => ({ name: `tests of ${pkg.folder}`, run: (live) => vitest(pkg, live) }));
}

// A published package must have tests, whatever its manifest says. Otherwise the run fails.
function hasTests({ path, manifest }: WorkspacePackage): boolean {
  return manifest.private !== true || manifest.scripts?.['test'] !== undefined || existsSync(join(path, 'test'));
}

function check(name: string, file: string, args: readonly string[]): Step {
  return {
    name,
    run: async () => {
      const { ok, output } = await run({ file, args });
      return { ...countCheck(name, ok), output: ok ? '' : output };
    },
  };
}

/** A check of ours: it passes if it finds nothing. */
function finding(name: string, advice: string, find: () => readonly string[]): Step {
  return {
    name,
    run: () => {
      const found = find();
      const output = found.length > 0 ? `${advice}\n${found.join('\n')}` : '';
      return Promise.resolve({ ...countCheck(name, found.length === 0), output });
    },
  };
}

async function vitest({ folder, path }: WorkspacePackage, live: boolean): Promise<StepResult & { output: string }> {
  const folderOfReport = mkdtempSync(join(tmpdir(), 'mcp-session-report-'));
  const file = join(folderOfReport, 'vitest.json');
  const entry = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs');
  try {
    // Not the `vitest` command: its script would run on the Node that is first on the path, not on
    // ours.
    const { ok, output } = await run({
      file: process.execPath,
      args: [entry, 'run', '--reporter=default', '--reporter=json', `--outputFile.json=${file}`],
      cwd: path,
      passThrough: live,
      timeoutMs: VITEST_TIMEOUT_MS,
    });
    return { ...countTests(`tests of ${folder}`, ok, readReport(file)), output };
  } finally {
    rmSync(folderOfReport, { recursive: true, force: true });
  }
}

function readReport(file: string): VitestReport | undefined {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as VitestReport) : undefined;
}
