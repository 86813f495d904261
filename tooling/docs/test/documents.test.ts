import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root, workspacePackages, type Manifest } from '@mcp-session-tooling/workspace/packages';
import { beforeAll, describe, expect, it } from 'vitest';
import { checkTypes, fileOf, writeBlocks } from '../src/check-types.ts';
import { blocksOf, brokenLinks, documents } from '../src/documents.ts';

const all = documents();
const blocks = all.flatMap(blocksOf).map((block) => [`${block.document}:${block.line}`, block] as const);
const inLanguage = (language: string) => blocks.filter(([, block]) => block.language === language);

const languages = ['http', 'json', 'mermaid', 'sh', 'sql', 'text', 'ts', 'yaml'];
const rootManifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest;
const published = workspacePackages().filter(({ manifest }) => manifest.private !== true);

describe('documents', () => {
  let complaints = new Map<string, string[]>();

  beforeAll(() => {
    writeBlocks(inLanguage('ts').map(([, block]) => block));
    complaints = checkTypes();
  });

  it('are there for every published package', () => {
    expect(all.map(({ path }) => path)).toEqual(
      expect.arrayContaining(['README.md', ...published.map(({ folder }) => `${folder}/README.md`)]),
    );
  });

  it.each(all.map((document) => [document.path, document] as const))('%s links to what is there', (_, document) => {
    expect(brokenLinks(document)).toEqual([]);
  });

  it.each(blocks)('%s names its language', (_, block) => {
    expect(languages).toContain(block.language);
  });

  it.each(inLanguage('ts'))('%s type-checks', (_, block) => {
    expect(complaints.get(fileOf(block)) ?? []).toEqual([]);
  });

  it.each(inLanguage('ts').filter(([, { flags }]) => flags.includes('run')))('%s runs', (_, block) => {
    const cwd = mkdtempSync(join(tmpdir(), 'mcp-session-docs-'));
    try {
      const { status, stderr } = spawnSync(
        process.execPath,
        ['--conditions=@mcp-session/source', '--disable-warning=ExperimentalWarning', fileOf(block)],
        { cwd, encoding: 'utf8', timeout: 30_000 },
      );

      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    } finally {
      rmSync(cwd, { recursive: true, force: true });
    }
  });

  it.each(inLanguage('json'))('%s is JSON', (_, block) => {
    expect(() => JSON.parse(block.code) as unknown).not.toThrow();
  });

  it.each(inLanguage('sh'))('%s names scripts and packages that exist', (_, block) => {
    const scripts = [...block.code.matchAll(/pnpm@12 (?:run )?([a-z-]+)/g)].map((match) => match[1]);
    const packages = [...block.code.matchAll(/@mcp-session\/[a-z-]+/g)].map((match) => match[0]);

    expect(Object.keys(rootManifest.scripts ?? {}).concat('install', 'exec')).toEqual(expect.arrayContaining(scripts));
    expect(published.map(({ manifest }) => manifest.name)).toEqual(expect.arrayContaining(packages));
  });
});
