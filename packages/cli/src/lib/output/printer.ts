import { styleText } from 'node:util';
import Table from 'cli-table3';
import type { CliSurroundings } from '../surroundings.ts';
import { cut, lengthOf, printable, printableLines, wrapped } from './text.ts';

/** A column of a table. */
export interface Column {
  readonly title: string;
  readonly align?: 'right';
  /** Takes the width that other columns leave, and is cut to it on a terminal. */
  readonly flexible?: boolean;
}

/** Spaces between two columns. */
const GAP = 2;
/** The least width of a flexible column, in characters. */
const LEAST_WIDTH = 8;
const NO_LINES = Object.fromEntries(
  ['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left', 'bottom-right', 'left', 'left-mid']
    .concat(['mid', 'mid-mid', 'right', 'right-mid', 'middle'])
    .map((name) => [name, '']),
);

/** Writes results: tables for people, JSON for programs. */
export class Printer {
  readonly json: boolean;
  readonly #surroundings: CliSurroundings;

  constructor(surroundings: CliSurroundings, json: boolean) {
    this.#surroundings = surroundings;
    this.json = json;
  }

  /** Width of the terminal in columns; `undefined` if the output goes elsewhere. */
  get width(): number | undefined {
    const { isTTY, columns } = this.#surroundings.stdout;
    return isTTY === true ? (columns ?? 80) : undefined;
  }

  /** Writes one JSON document in one line. */
  document(value: unknown): void {
    // JSON.stringify escapes control characters below U+0020 only.
    this.line(printable(JSON.stringify(value)));
  }

  line(text: string = ''): void {
    this.#surroundings.stdout.write(`${printableLines(text)}\n`);
  }

  /** Writes a line whose parts are safe already, and may have colours. */
  styled(text: string): void {
    this.#surroundings.stdout.write(`${text}\n`);
  }

  /** Writes a table without lines, as `ls` and `ps` do. */
  table(columns: readonly Column[], rows: readonly (readonly string[])[]): void {
    const safe = rows.map((row) => row.map(printable));
    const widths = this.#widthsOf(columns, safe);
    const table = new Table({
      chars: NO_LINES,
      style: { 'padding-left': 0, 'padding-right': GAP, head: [], border: [] },
      colAligns: columns.map(({ align }) => align ?? 'left'),
    });
    table.push(columns.map(({ title }) => this.style('dim', title)));
    for (const row of safe) table.push(row.map((text, index) => cut(text, widths[index] ?? text.length)));
    // Not escaped again: the texts are safe, and the titles may have colours.
    const lines = table.toString().split('\n');
    this.#surroundings.stdout.write(`${lines.map((line) => line.trimEnd()).join('\n')}\n`);
  }

  /** Writes names and values, one pair a line. */
  facts(facts: readonly (readonly [string, string])[]): void {
    const width = Math.max(...facts.map(([name]) => name.length));
    for (const [name, value] of facts) {
      const shown = cut(printable(value), (this.width ?? Infinity) - width - GAP);
      this.#surroundings.stdout.write(`${this.style('dim', name.padEnd(width + GAP))}${shown}\n`);
    }
  }

  /** Writes to a terminal only, over its last line. */
  progress(text: string): void {
    const { stderr } = this.#surroundings;
    if (stderr.isTTY === true && !this.json) stderr.write(`\r\u001b[K${text}`);
  }

  /** Writes a line beside the results, about the command itself. */
  note(text: string): void {
    const { stderr } = this.#surroundings;
    stderr.write(`${stderr.isTTY === true ? wrapped(text, stderr.columns ?? 80) : text}\n`);
  }

  /** Colours a text if a person reads on a terminal (no-color.org). */
  style(format: Parameters<typeof styleText>[0], text: string): string {
    const { env } = this.#surroundings;
    const plain = this.width === undefined || (env['NO_COLOR'] ?? '') !== '';
    return plain ? text : styleText(format, text, { validateStream: false });
  }

  #widthsOf(columns: readonly Column[], rows: readonly (readonly string[])[]): (number | undefined)[] {
    const { width } = this;
    if (width === undefined) return columns.map(() => undefined);
    const full = columns.map(({ title }, index) =>
      Math.max(title.length, ...rows.map((row) => lengthOf(row[index] ?? ''))),
    );
    const fixed = full.filter((_, index) => columns[index]?.flexible !== true);
    const left = width - fixed.reduce((sum, each) => sum + each, 0) - GAP * (columns.length - 1);
    const share = Math.max(LEAST_WIDTH, Math.floor(left / Math.max(1, columns.length - fixed.length)));
    return columns.map(({ flexible }) => (flexible === true ? share : undefined));
  }
}
