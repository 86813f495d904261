// Plays the story on platforms that are too large for the tests, and writes what happened to
// src/tables/recorded-platforms.json. It installs them from npm into a temporary folder.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RecordedPlatform } from '../tables/recorded.ts';
import { buildNext, startNext } from './next.ts';
import { type OutsideServer, playOutside } from './story.ts';

const RECORDED = new URL('../tables/recorded-platforms.json', import.meta.url);

const version = '16.4.6';
const folder = mkdtempSync(join(tmpdir(), 'mcp-session-platforms-'));
let server: OutsideServer | undefined;
try {
  console.log(`Next.js ${version}: packs, installs and builds, which takes minutes`);
  server = await startNext(await buildNext(folder, version));
  const steps = await playOutside(server);
  for (const { step, ok, note } of steps) console.log(`${ok ? 'ok    ' : 'FAILED'} ${step} ${note}`);
  const next: RecordedPlatform = {
    name: 'Next.js',
    version,
    set: 'One function under three names in `app/mcp/route.ts`',
    surprises: 'Nothing',
    steps,
  };
  writeFileSync(RECORDED, `${JSON.stringify([next], null, 2)}\n`);
  process.exitCode = steps.every(({ ok }) => ok) ? 0 : 1;
} finally {
  await server?.kill();
  rmSync(folder, { recursive: true, force: true });
}
