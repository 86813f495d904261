import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { requirements } from '@mcp-session/conformance';
import { root, workspacePackages, type Manifest } from '@mcp-session-tooling/workspace/packages';
import { beforeAll, describe, expect, it } from 'vitest';
import { checkTypes, fileOf, projectOf, runTests, writeBlocks } from '../src/check-types.ts';
import { contractPage } from '../src/contract.ts';
import { commandProblems, type CommandFacts } from '../src/commands.ts';
import {
  blocksOf,
  brokenLinks,
  documents,
  linkedDocuments,
  spansOf,
  type Block,
  type Document,
} from '../src/documents.ts';
import { foreignNames } from '../src/foreign-names.ts';
import { machinePaths, privateHosts } from '../src/machines.ts';
import { sourceNames, unknownNames } from '../src/names.ts';
import { manifestCode } from '../src/manifests.ts';
import { optionsPage } from '../src/options.ts';
import { platformsPage } from '../src/platforms.ts';
import {
  citedRules,
  cliFacts,
  errorCodes,
  headingNames,
  optionNames,
  rowNames,
  ruleNumbers,
} from '../src/project-facts.ts';

const all = documents();
const everyDocument = all.map((document) => [document.path, document] as const);
const blocks = all.flatMap(blocksOf).map((block) => [`${block.document}:${block.line}`, block] as const);
const inLanguage = (language: string) =>
  blocks.filter(([, block]) => block.language === language && block.unchecked === undefined);
const textOf = (path: string): string => all.find((document) => document.path === path)?.text ?? '';

const isFile = (flag: string): boolean => flag.startsWith('file=');
const projects = [...new Set(blocks.flatMap(([, { document, flags }]) => (flags.some(isFile) ? [document] : [])))];

const rootManifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest;
const packages = workspacePackages();
const published = packages.filter(({ manifest }) => manifest.private !== true);

const facts: CommandFacts = {
  scriptsOf: (name) => Object.keys(manifestOf(name)?.scripts ?? {}),
  packages: published.map(({ manifest }) => manifest.name),
  exists: (path) => existsSync(join(root, path)),
  cli: cliFacts(),
};

describe('documents', () => {
  it('are there for every published package', () => {
    expect(all.map(({ path }) => path)).toEqual(
      expect.arrayContaining(['README.md', ...published.map(({ folder }) => `${folder}/README.md`)]),
    );
  });

  it('in docs can be reached from the README', () => {
    const reached = new Set(['README.md']);
    for (const path of reached) for (const target of linkedDocuments({ path, text: textOf(path) })) reached.add(target);

    expect(all.map(({ path }) => path).filter((path) => path.startsWith('docs/') && !reached.has(path))).toEqual([]);
  });

  it.each(everyDocument)('%s links to what is there', (_, document) => {
    expect(brokenLinks(document)).toEqual([]);
  });

  it.each(everyDocument)('%s names no path and no host of a machine', (_, { text }) => {
    expect(machinePaths(text).concat(privateHosts(text))).toEqual([]);
  });

  it.each(everyDocument)('%s names commands that exist', (_, document) => {
    const commands = spansOf(document).filter((span) => /^(?:npx -y pnpm@12|mcp-session) (?!<)/.test(span));

    expect(commands.flatMap((command) => commandProblems(command, facts))).toEqual([]);
  });

  it.each(published.map(({ folder }) => folder))('of %s name tests that exist', (folder) => {
    const paths = [...textOf(`${folder}/README.md`).matchAll(/`(test\/[\w./-]+)`/g)].map(([, path = '']) => path);

    expect(paths.filter((path) => !existsSync(join(root, folder, path)))).toEqual([]);
  });

  it('explain every error code and no other', () => {
    expect(headingNames(textOf('docs/reference/errors.md')).toSorted()).toEqual(errorCodes().toSorted());
  });

  it.each(published.map(({ folder }) => folder))('of %s name every option', (folder) => {
    const readme = textOf(`${folder}/README.md`);

    expect(optionNames(folder).filter((name) => !new RegExp(`\\b${name}\\b`).test(readme))).toEqual([]);
  });

  it('say what to do about every code of a store, in the runbook', () => {
    const runbook = textOf('docs/operating/runbook.md');

    expect(errorCodes().filter((code) => code.startsWith('STORE_') && !runbook.includes(code))).toEqual([]);
  });

  it('have the contract as the kit words it: "npx -y pnpm@12 reference" writes it', () => {
    expect(textOf('docs/reference/contract.md')).toBe(contractPage());
    expect(rowNames(contractPage()).toSorted()).toEqual(Object.keys(requirements).toSorted());
  });
});

it('the page of clients and platforms is what the tests run: "npx -y pnpm@12 reference" writes it', () => {
  expect(textOf('docs/reference/clients-and-platforms.md')).toBe(platformsPage());
});

it('the page of the options is what the READMEs say: "npx -y pnpm@12 reference" writes it', () => {
  expect(textOf('docs/reference/options.md')).toBe(optionsPage());
});

describe('the HTTP rules', () => {
  const rules = ruleNumbers(textOf('docs/http-rules.md'));

  it('are in the order of their numbers, each once', () => {
    expect(rules).toEqual([...new Set(rules)].toSorted((a, b) => a - b));
  });

  it('are those that the titles of tests cite, but for rule 12, which core proves', () => {
    expect(citedRules('packages/http', 'rule')).toEqual(rules.filter((rule) => rule !== 12));
  });
});

it('the task rules are those that the titles of tests cite, each once and in order', () => {
  expect(ruleNumbers(textOf('docs/task-rules.md'))).toEqual(citedRules('packages/tasks', 'task rule'));
});

describe('names', () => {
  const known = { ours: new Set<string>(), foreign: foreignNames, requirements: Object.keys(requirements) };

  beforeAll(() => {
    for (const name of sourceNames()) known.ours.add(name);
  });

  it.each(everyDocument)('%s names what exists', (_, document) => {
    expect(unknownNames(withoutTheirNames(document), known)).toEqual([]);
  });

  it('of other software are listed only while a document needs them', () => {
    const alone = { ...known, foreign: [] };
    const needed = new Set(all.flatMap((document) => unknownNames(withoutTheirNames(document), alone)));

    expect(foreignNames.filter((name) => !needed.has(name))).toEqual([]);
  });
});

describe('code blocks', () => {
  let complaints = new Map<string, string[]>();

  beforeAll(() => {
    const manifests = inLanguage('yaml').map(([, block]) => ({ ...block, prelude: '', code: manifestCode(block) }));
    writeBlocks([...inLanguage('ts').map(([, block]) => block), ...manifests]);
    complaints = checkTypes();
    // A compiler over all blocks: seconds, and many on a machine that is busy.
  }, 120_000);

  it.each(blocks)('%s is checked, or says why not', (_, block) => {
    expect(isChecked(block) || (block.unchecked ?? '') !== '').toBe(true);
  });

  it.each([...inLanguage('ts'), ...inLanguage('yaml')])('%s type-checks', (_, block) => {
    expect(complaints.get(fileOf(block)) ?? []).toEqual([]);
  });

  it.each(inLanguage('ts').filter(([, { flags }]) => flags.includes('run')))('%s runs', (_, block) => {
    const cwd = mkdtempSync(join(tmpdir(), 'mcp-session-docs-'));
    try {
      const { status, stdout, stderr } = spawnSync(
        process.execPath,
        ['--conditions=@mcp-session/source', '--disable-warning=ExperimentalWarning', fileOf(block)],
        { cwd, encoding: 'utf8', timeout: 30_000 },
      );

      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      expect(stdout).toBe(outputAfter(block)?.code ?? stdout);
    } finally {
      rmSync(cwd, { recursive: true, force: true });
    }
  });

  it.each(projects)('of %s pass their tests together', { timeout: 300_000 }, async (document) => {
    const { status, output } = await runTests(projectOf(document));

    expect({ status, output: status === 0 ? '' : output }).toEqual({ status: 0, output: '' });
  });

  it.each(inLanguage('json'))('%s is JSON', (_, block) => {
    expect(() => JSON.parse(block.code) as unknown).not.toThrow();
  });

  it.each(inLanguage('sh'))('%s names commands, scripts and packages that exist', (_, block) => {
    expect(commandProblems(block.code, facts)).toEqual([]);
  });
});

/** The manifest of a package of the workspace, or of the root where no name is given. */
function manifestOf(name?: string): Manifest | undefined {
  return name === undefined ? rootManifest : packages.find(({ manifest }) => manifest.name === name)?.manifest;
}

/** Whether a test above looks at the block. */
function isChecked(block: Block): boolean {
  const { language, flags } = block;
  if (language === 'ts') return flags.every((flag) => flag === 'run' || isFile(flag));
  if (language === 'text' && flags.includes('output')) {
    return blocks.some(([, before]) => outputAfter(before) === block);
  }
  return ['json', 'mermaid', 'sh', 'yaml'].includes(language) && flags.length === 0;
}

/** The block "text output" that comes right after one that runs: all that it prints. */
function outputAfter(block: Block): Block | undefined {
  const next = blocks[blocks.findIndex(([, each]) => each === block) + 1]?.[1];
  const belongs = block.flags.includes('run') && next?.document === block.document && next.flags.includes('output');
  return belongs ? next : undefined;
}

/**
 * Without the first column of the tables where a document compares us with other software: its
 * names stand there.
 */
function withoutTheirNames(document: Document): Document {
  if (!/^docs\/(?:guides\/from-the-|decisions\/042-)/.test(document.path)) return document;
  return { ...document, text: document.text.replaceAll(/^\|[^|\n]*\|/gm, '|') };
}
