import { describe, expect, it } from 'vitest';
import { commandProblems } from '../src/commands.ts';
import { machinePaths, privateHosts } from '../src/machines.ts';
import { sourceNames, unknownNames } from '../src/names.ts';
import { errorCodes, headingNames, optionNames, optionsIn, rowNames } from '../src/project-facts.ts';

describe('shell commands', () => {
  const facts = {
    scriptsOf: (name?: string) => (name === 'other' ? ['bench'] : ['test']),
    packages: ['@mcp-session/core'],
    exists: (path: string) => path === '.ci/run' || path === 'packages/core',
    cli: { commands: ['ls'], options: ['--json'] },
  };

  it.each([
    ['npx -y pnpm@12 tset', 'No script tset'],
    ['npx -y pnpm@12 --filter other test', 'No script test'],
    ['cd packages && npx -y pnpm@12 tset', 'No script tset'],
    ['npx -y pnpm@12 test packages/cor', 'No path packages/cor'],
    ['npm install \\\n  @mcp-session/cor', 'No package @mcp-session/cor'],
    ['.ci/rum', 'No path .ci/rum'],
    ['mcp-session list', 'mcp-session has no command list'],
    ['mcp-session ls --jsn | jq .', 'mcp-session has no option --jsn'],
    ['make test', 'Nothing checks the command make test'],
  ])('%j is wrong', (code, problem) => {
    expect(commandProblems(code, facts)).toEqual([problem]);
  });

  it.each([
    'npx -y pnpm@12 test packages/core # one package\n\n# a comment',
    'npx -y pnpm@12 --filter other bench',
    'npm install @mcp-session/core @types/node@22',
    'PORT=3000 node server.ts',
    '.ci/run',
    'npx vitest run',
    'mcp-session ls --json | jq .',
  ])('%j is right', (code) => {
    expect(commandProblems(code, facts)).toEqual([]);
  });
});

describe('names', () => {
  const known = {
    ours: new Set(['createSessionStore', 'session', 'state', 'update']),
    foreign: ['McpServer'],
    requirements: ['events.append.order', 'state.clear'],
  };
  const unknown = (text: string): string[] => unknownNames({ path: 'a.md', text }, known);

  it.each([
    'createSesionStore',
    'createSesionStore()',
    'session.state.updat()',
    'EVENTS_TRIMED',
    'events.append.oder',
    'SessionStorr',
  ])('%s is unknown', (name) => {
    expect(unknown(`See \`${name}\` there.`)).toEqual([name]);
  });

  it.each([
    'createSessionStore',
    'session.state.update(key, change)',
    'events.append.order',
    'state.clear',
    'McpServer',
    'Date.now',
    'package.json',
    'events.append.test.ts',
    'Mcp-Session-Id',
    'principal',
    'npx -y pnpm@12 test',
  ])('%s is known, or no name', (name) => {
    expect(unknown(`See \`${name}\` there.`)).toEqual([]);
  });

  it('in code blocks and hidden comments are the compiler’s', () => {
    expect(unknown('<!-- `aNameThere` -->\n```text\n`anotherName`\n```\n')).toEqual([]);
  });

  it('of the sources are identifiers and words in strings, not comments', () => {
    const names = sourceNames();

    expect(names).toContain('createSessionStore');
    expect(names).toContain('touchIntervalMs');
    expect(names).toContain('EVENTS_TRIMMED');
    expect(names).not.toContain('Emmett');
    expect(names.size).toBeLessThan(10_000);
  });
});

describe('machine paths', () => {
  it.each(['/home/me/project', '/tmp/a.db', '/Users/me', '/work/project'])('%s is one', (path) => {
    expect(machinePaths(`In \`${path}\` there.`)).toEqual([path]);
  });

  it.each(['/var/lib/mcp/sessions.db', 'https://example.com/work/a', 'docs/work/a.md', '/mcp'])(
    '%s is none',
    (path) => {
      expect(machinePaths(`In \`${path}\` there.`)).toEqual([]);
    },
  );
});

describe('private hosts', () => {
  it.each(['http://registry.internal/x', 'https://10.0.0.7:8080', 'postgres://me:secret@db-1/app', 'http://build-box'])(
    '%s has one',
    (url) => {
      expect(privateHosts(`At ${url} there.`)).toHaveLength(1);
    },
  );

  it.each(['https://example.com/a', 'http://127.0.0.1:7460/mcp', 'http://localhost:3000', 'https://id.example|alice'])(
    '%s has none',
    (url) => {
      expect(privateHosts(`At ${url} there.`)).toEqual([]);
    },
  );
});

describe('facts of the project', () => {
  it('are read from the source and from documents', () => {
    expect(errorCodes()).toEqual(expect.arrayContaining(['SESSION_NOT_FOUND', 'STORE_UNAVAILABLE']));
    expect(optionNames('packages/core')).toEqual(
      expect.arrayContaining(['ttlMs', 'maxEvents', 'maxSessions', 'after']),
    );
    const source =
      'export interface AOptions { b?: number; c(): void }\nexport interface BOptions { d: 1 }\ninterface AOptions2 {}';
    expect(optionsIn(source, (name) => name === 'AOptions')).toEqual(['b', 'c']);
    expect(headingNames('# `NO`\n### `STORE_BUSY`\n### `STORE_BUSY` and more\n## Other')).toEqual(['STORE_BUSY']);
    expect(rowNames('| `a.b` | x |\n| --- | --- |\n| `c.d`   | y |\n| e | `f.g` |')).toEqual(['a.b', 'c.d']);
  });
});
