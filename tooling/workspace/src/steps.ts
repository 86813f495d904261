import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { wrapFiles } from './comments.ts';
import { buildCommand, run } from './command.ts';
import { workspacePackages, type WorkspacePackage } from './packages.ts';
import { phrasesOfWorkspace } from './prose.ts';
import { countCheck, countTests, type StepResult, type VitestReport } from './report.ts';

/** A step of a run: its name as the output shows it, and what it does. */
export interface Step {
  readonly name: string;
  readonly run: () => Promise<StepResult>;
}

/** Everything that can be said of the code without running it. */
export function checks(): Step[] {
  return [
    check('format', 'oxfmt', ['--check']),
    check('lint', 'oxlint', []),
    finding('comment width', 'Wider than 100 columns; "pnpm format" wraps them:', () => wrapFiles(false)),
    finding('prose', 'Phrases that docs/style.md does without:', phrasesOfWorkspace),
    ...workspacePackages()
      .filter(({ path }) => existsSync(join(path, 'tsconfig.json')))
      .map(({ folder }) => check(`types of ${folder}`, 'tsc', ['--project', folder])),
    check('dead code', 'knip', ['--no-progress', '--no-config-hints']),
    check('duplicates', 'jscpd', ['packages', 'tooling', 'examples']),
  ];
}

/** Builds what is published, from the cache where nothing has changed. */
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
  return packages
    .filter((pkg) => (folders.length > 0 ? folders.includes(pkg.folder) : hasTests(pkg)))
    .map((pkg) => ({ name: `tests of ${pkg.folder}`, run: () => vitest(pkg) }));
}

// What is published has tests, whatever its manifest says; the run fails where there are none.
function hasTests({ path, manifest }: WorkspacePackage): boolean {
  return manifest.private !== true || manifest.scripts?.['test'] !== undefined || existsSync(join(path, 'test'));
}

function check(name: string, file: string, args: readonly string[]): Step {
  return {
    name,
    run: async () => {
      const { ok, output } = await run({ file, args });
      if (!ok) process.stdout.write(output);
      return countCheck(name, ok);
    },
  };
}

/** A check of ours: it passes if it finds nothing. */
function finding(name: string, advice: string, find: () => readonly string[]): Step {
  return {
    name,
    run: () => {
      const found = find();
      if (found.length > 0) console.log(`${advice}\n${found.join('\n')}`);
      return Promise.resolve(countCheck(name, found.length === 0));
    },
  };
}

async function vitest({ folder, path }: WorkspacePackage): Promise<StepResult> {
  const folderOfReport = mkdtempSync(join(tmpdir(), 'mcp-session-report-'));
  const file = join(folderOfReport, 'vitest.json');
  const entry = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs');
  try {
    // Not the `vitest` command: its script would run on the Node that is first on the path, not on
    // ours.
    const { ok } = await run({
      file: process.execPath,
      args: [entry, 'run', '--reporter=default', '--reporter=json', `--outputFile.json=${file}`],
      cwd: path,
      passThrough: true,
    });
    return countTests(`tests of ${folder}`, ok, readReport(file));
  } finally {
    rmSync(folderOfReport, { recursive: true, force: true });
  }
}

function readReport(file: string): VitestReport | undefined {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as VitestReport) : undefined;
}
