import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const FOLDER = join(import.meta.dirname, '../../notes');

/** Why targets are missed, by the id of the section: the files `notes/<id>.md`. */
export function readNotes(): ReadonlyMap<string, string> {
  const names = existsSync(FOLDER) ? readdirSync(FOLDER).filter((name) => name.endsWith('.md')) : [];
  return new Map(names.map((name) => [name.replace(/\.md$/, ''), readFileSync(join(FOLDER, name), 'utf8')]));
}
