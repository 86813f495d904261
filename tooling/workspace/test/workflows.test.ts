import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root } from '../src/packages.ts';

const workflows = globSync('.github/workflows/*.yml', { cwd: root });
const actions = globSync('.github/actions/*/action.yml', { cwd: root });

function read(file: string): string {
  return readFileSync(join(root, file), 'utf8');
}

/** What follows a key, on its line and on those that are indented more. */
function valuesOf(text: string, key: string): readonly string[] {
  const lines = text.split('\n');
  return lines.flatMap((line, index) => {
    const [, before] = new RegExp(`^( *(?:- )?)${key}:`).exec(line) ?? [];
    if (before === undefined) return [];
    const rest = lines.slice(index + 1);
    const end = rest.findIndex((next) => next.trim() !== '' && next.search(/\S/) <= before.length);
    return [[line, ...rest.slice(0, end < 0 ? rest.length : end)].join('\n')];
  });
}

/** The jobs of a workflow by name, each as its text. */
function jobsOf(file: string): readonly (readonly [string, string])[] {
  const [, jobs = ''] = read(file).split(/^jobs:\n/m);
  return jobs.split(/^ {2}(?=\w)/m).flatMap((job) => {
    const [name] = /^\w[\w-]*(?=:)/.exec(job) ?? [];
    return name === undefined ? [] : [[name, job] as const];
  });
}

it('there are workflows', () => {
  expect(workflows.toSorted()).toEqual([
    '.github/workflows/release.yml',
    '.github/workflows/site.yml',
    '.github/workflows/test.yml',
  ]);
  expect(workflows.flatMap(jobsOf).length).toBeGreaterThan(10);
});

describe.each([...workflows, ...actions])('%s', (file) => {
  it('runs what is fixed: actions of others by their whole digest, with the version beside it', () => {
    const uses = read(file).match(/(?<=\buses: ).+/g) ?? [];
    expect(uses).not.toEqual([]);
    const loose = uses.filter((use) => !use.startsWith('./') && !/^[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(use));
    expect(loose).toEqual([]);
  });

  it('puts no expression into a command, where its value would be run', () => {
    const commands = valuesOf(read(file), 'run');
    expect(commands.join()).toMatch(/pnpm|npm|\.ci\/run/);
    expect(commands.filter((command) => command.includes('${{'))).toEqual([]);
  });

  it('leaves no token behind in a checkout', () => {
    const checkouts = read(file).split('uses: actions/checkout@').slice(1);
    expect(
      checkouts.filter((rest) => !/^.*\n +with:\n(?: {10}.*\n)*? {10}persist-credentials: false\n/.test(rest)),
    ).toEqual([]);
  });
});

describe.each(workflows)('the rights in %s', (file) => {
  it('are none by default, and said for each job', () => {
    expect(read(file)).toMatch(/^permissions: \{\}$/m);
    expect(jobsOf(file).filter(([, job]) => !/^ {4}permissions:\n/m.test(job))).toEqual([]);
  });

  it('are to read alone where something of the repository, or of its dependencies, is run', () => {
    // What opens the pull request of the versions must write, and runs Changesets and nothing else.
    const trusted = new Set(['version']);
    const running = jobsOf(file).filter(([name, job]) => !trusted.has(name) && job.includes('actions/checkout@'));
    expect(running.filter(([, job]) => /: write/.test(job)).map(([name]) => name)).toEqual([]);
  });
});

it('publishing runs nothing of the repository, and only after somebody has approved it', () => {
  const publish = new Map(jobsOf('.github/workflows/release.yml')).get('publish') ?? '';
  expect(publish).toContain('\n    environment: npm\n');
  expect(valuesOf(publish, 'permissions').join()).not.toContain('contents');
  expect(publish.match(/(?<=uses: )[^@]+/g)).toEqual(['actions/setup-node', 'actions/download-artifact']);
});

it('packing starts with the check that refuses a placeholder for the repository', () => {
  const pack = new Map(jobsOf('.github/workflows/release.yml')).get('pack') ?? '';
  expect(pack.match(/(?<=- run: ).+/g)?.[0]).toBe('pnpm run check-release');
});

it('the pnpm of the workflows is the pinned one, with its integrity', () => {
  const { packageManager } = JSON.parse(read('package.json')) as { packageManager: string };
  const { packages } = JSON.parse(read('.github/pnpm/package-lock.json')) as {
    packages: Record<string, { version?: string; integrity?: string }>;
  };
  const pnpm = packages['node_modules/@pnpm/exe.linux-x64'];
  expect(`pnpm@${pnpm?.version}`).toBe(packageManager);
  expect(pnpm?.integrity).toMatch(/^sha512-/);
});
