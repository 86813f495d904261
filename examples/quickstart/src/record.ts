// Writes docs/demo.svg from the demo's output: npx -y pnpm@12 demo | node
// examples/quickstart/src/record.ts
import { writeFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { recordable, recordingOf } from './demo/recording.ts';

const lines = recordable(await text(process.stdin));
if (lines.length === 0) throw new Error('The input is not the output of a demo that succeeded');
writeFileSync(new URL('../../../docs/demo.svg', import.meta.url), recordingOf(lines));
