import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { table } from './table.ts';
import { root } from '@mcp-session-tooling/workspace/packages';

/**
 * What the options without "of …" in their heading belong to, by package, in the order of the page.
 */
const PACKAGES: readonly (readonly [pkg: string, title: string])[] = [
  ['http', 'The handler'],
  ['core', 'Every store'],
  ['sqlite', 'SQLite'],
  ['postgres', 'PostgreSQL'],
  ['dynamodb', 'DynamoDB'],
  ['tasks', 'The task store'],
  ['otel', 'Telemetry'],
  ['studio', 'The studio'],
];

/** Options that are explained together: those of one function. */
export interface OptionTable {
  readonly pkg: string;
  readonly title: string;
  readonly head: readonly string[];
  /** A row an option; its first cell is the name in backticks. */
  readonly rows: readonly (readonly string[])[];
}

/**
 * Every table of options in the packages' READMEs. Its first column is headed "option", or "option
 * of `name`" if it is about another function than the one that the package is for.
 */
export function optionTables(): readonly OptionTable[] {
  return PACKAGES.flatMap(([pkg, general]) => {
    const tables = tablesOf(readFileSync(join(root, readmeOf(pkg)), 'utf8')).flatMap(([head = [], ...rows]) => {
      const [, of] = /^option(?: of (`\w+`))?$/.exec(head[0] ?? '') ?? [undefined, undefined];
      return head[0]?.startsWith('option') === true ? [{ pkg, title: of ?? general, head, rows }] : [];
    });
    return tables.toSorted((a, b) => Number(b.title === general) - Number(a.title === general));
  });
}

/** The page `docs/reference/options.md`: the tables of the packages' READMEs. */
export function optionsPage(): string {
  const parts = optionTables().map(({ pkg, title, head, rows }) => {
    const linked = rows.map((cells) => cells.map((cell) => cell.replaceAll('](#', `](../../${readmeOf(pkg)}#`)));
    const [, ...columns] = head;
    return `## ${title}\n\n[\`@mcp-session/${pkg}\`](../../${readmeOf(pkg)})\n\n${table(['option', ...columns], linked)}`;
  });
  return `# Options

<!-- Written by "npx -y pnpm@12 reference" from the READMEs of the packages. Do not edit. -->

All options have a default unless they say "required". Times are in milliseconds. An unknown name is a \`TypeError\` that
says which one was meant.

${parts.join('\n\n')}
`;
}

function readmeOf(pkg: string): string {
  return `packages/${pkg}/README.md`;
}

/** The cells of each table of a document, line by line, without the line of dashes. */
function tablesOf(text: string): readonly (readonly (readonly string[])[])[] {
  return [...text.matchAll(/(?:^\|.*\n?)+/gm)].map(([found]) =>
    found
      .trimEnd()
      .split('\n')
      .filter((_, index) => index !== 1)
      .map((line) =>
        line
          .slice(1, -1)
          .split(/(?<!\\)\|/)
          .map((cell) => cell.trim()),
      ),
  );
}
