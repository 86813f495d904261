// Replaces the compiled form of src/lib/page.ts with one that contains the page.
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { buildPage } from './build.ts';

const files = await buildPage();
const code = `const FILES = ${JSON.stringify(files)};\nexport const loadPage = () => Promise.resolve(FILES);\n`;
writeFileSync(fileURLToPath(new URL('../dist/lib/page.js', import.meta.url)), code);
