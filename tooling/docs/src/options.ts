import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { table } from './table.ts';
import { root } from '@mcp-session-tooling/workspace/packages';

/** Where the options of each package are explained: the heading above the table in its README. */
const TABLES: readonly (readonly [pkg: string, heading: string, title: string])[] = [
  ['http', 'Options', 'The handler'],
  ['core', 'Options of every store', 'Every store'],
  ['sqlite', 'Options', 'SQLite'],
  ['postgres', 'Options', 'PostgreSQL'],
  ['dynamodb', 'Options', 'DynamoDB'],
  ['otel', 'Options', 'Telemetry'],
  ['studio', 'Options', 'The studio'],
  ['tasks', 'Options', 'The task store'],
];

/** The page `docs/reference/options.md`: the tables of the packages' READMEs. */
export function optionsPage(): string {
  const parts = TABLES.map(([pkg, heading, title]) => {
    const readme = `packages/${pkg}/README.md`;
    const [head = [], ...rows] = cellsOf(readFileSync(join(root, readme), 'utf8'), heading);
    const linked = rows.map((cells) => cells.map((cell) => cell.replaceAll('](#', `](../../${readme}#`)));
    return `## ${title}\n\n[\`@mcp-session/${pkg}\`](../../${readme})\n\n${table(head, linked)}`;
  });
  return `# Options

<!-- Written by "npx -y pnpm@12 reference" from the READMEs of the packages. Do not edit. -->

All options have a default unless they say "required". Times are in milliseconds. An unknown name is a \`TypeError\` that
says which one was meant.

${parts.join('\n\n')}
`;
}

/** The cells of the first table below a heading, line by line. */
function cellsOf(text: string, heading: string): string[][] {
  const [, section = ''] = text.split(new RegExp(`^## ${heading}$`, 'm'));
  const found = /(?:^\|.*\n?)+/m.exec(section)?.[0];
  if (found === undefined) throw new Error(`No table below "## ${heading}"`);
  const lines = found.trimEnd().split('\n');
  return lines
    .filter((_, index) => index !== 1)
    .map((line) =>
      line
        .slice(1, -1)
        .split(/(?<!\\)\|/)
        .map((cell) => cell.trim()),
    );
}
