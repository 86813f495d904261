import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  clients,
  platforms,
  recorded,
  recordedPlatforms,
  type RecordedStep,
  shapes,
} from '@mcp-session-tooling/platforms';
import { root } from '@mcp-session-tooling/workspace/packages';
import { table } from './table.ts';

const INTRODUCTION = `# Clients and platforms

<!-- Written by "npx -y pnpm@12 reference" from tooling/platforms. Do not edit. -->

What was tested, with which version, what to set, and what surprises. Clients have their default options.

**The story** is what most rows were tested with: \`initialize\`, calls, a question to the user, a call with progress whose
server is killed in the middle, the rest of its stream by \`Last-Event-ID\` from another process, the session's state there,
and DELETE.`;

const STORES = { memory: 'memory', sqlite: 'SQLite', postgres: 'PostgreSQL', dynamodb: 'DynamoDB' } as const;

/** The page \`docs/reference/clients-and-platforms.md\`. */
export function platformsPage(): string {
  const versions = catalog();
  const versionOf = (name: string): string => {
    const version = versions.get(name);
    if (version === undefined) throw new Error(`The catalog has no ${name}`);
    return version;
  };
  return `${[
    INTRODUCTION,
    '## Platforms',
    'The tests play the story on each runtime, with the stores that the table names. [Serve behind your framework](../guides/serving.md) has the code.',
    table(
      ['platform', 'version', 'stores', 'what to set', 'what surprises'],
      platforms.map(({ name, packageName, backends, set, surprises }) => [
        name,
        `${packageName === 'miniflare' ? 'miniflare ' : ''}${versionOf(packageName)}`,
        backends.map((backend) => STORES[backend]).join(', '),
        set,
        surprises,
      ]),
    ),
    ...platformsOutside(),
    '## Clients in the tests',
    table(
      ['client', 'version', 'tested', 'what to set', 'what surprises'],
      clients.map(({ name, packageName, tested, set, surprises }) => [
        name,
        versionOf(packageName),
        tested,
        set,
        surprises,
      ]),
    ),
    '## Clients of other languages',
    'Run outside of the tests by `npx -y pnpm@12 clients`, against a server that is killed and is back after a second.',
    table(
      ['client', 'version', 'what works', 'what does not', 'what surprises'],
      recorded.map(({ name, version, surprises, steps }) => [name, version, ...worksAndNot(steps), surprises]),
    ),
    '## Requests of known products',
    'The tests send requests of these shapes, which come from public reports and sources. The products themselves were not run.',
    table(
      ['product', 'what it does', 'what it gets', 'what to set'],
      shapes.map(({ product, habit, gets, set }) => [product, habit, gets, set ?? 'nothing']),
    ),
  ].join('\n\n')}\n`;
}

/** What was run outside of the tests, on platforms and behind proxies. */
function platformsOutside(): string[] {
  return [
    '## Platforms and proxies outside of the tests',
    'Run by `npx -y pnpm@12 platforms`. It installs Next.js from npm, builds the recipe and kills it. It starts each proxy with the configuration of [Behind a load balancer](../operating/load-balancer.md), two nodes behind it and a client of each SDK line.',
    table(
      ['platform', 'version', 'last run', 'what works', 'what does not', 'what to set', 'what surprises'],
      recordedPlatforms.map(({ name, version, date, set, surprises, steps }) => [
        name,
        version,
        date,
        ...worksAndNot(steps),
        set,
        surprises,
      ]),
    ),
  ];
}

/** The steps that succeeded, and those that did not with what was seen. */
function worksAndNot(steps: readonly RecordedStep[]): [string, string] {
  return [
    steps.flatMap(({ step, ok }) => (ok ? [step] : [])).join(', '),
    steps.flatMap(({ step, ok, note }) => (ok ? [] : [`${step}: ${note}`])).join('; ') || 'nothing',
  ];
}

/** The versions of all catalogs, by the name of their package. */
function catalog(): Map<string, string> {
  const text = readFileSync(join(root, 'pnpm-workspace.yaml'), 'utf8');
  return new Map(
    [...text.matchAll(/^ {2,4}'?([\w@/.-]+)'?: (\d\S*)$/gm)].map(([, name = '', version = '']) => [name, version]),
  );
}
