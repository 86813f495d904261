// Plays the story on platforms and behind proxies that are too large or too slow for the tests, and
// writes what happened to src/tables/recorded-platforms.json. It installs Next from npm into a
// temporary folder, and uses the proxies of the machine or those of Debian.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RecordedPlatform } from '../tables/recorded.ts';
import { buildNext, startNext } from './next.ts';
import { freePort, ProxiedNode } from './nodes.ts';
import { type ProxyKind, programOf, proxies, shownConfiguration, startProxy } from './proxy.ts';
import { playProxied, playRepeated } from './proxy-story.ts';
import { playOutside } from './story.ts';

const RECORDED = new URL('../tables/recorded-platforms.json', import.meta.url);
const NEXT = '16.4.6';

type Run = (folder: string) => Promise<Omit<RecordedPlatform, 'name' | 'date'>>;

const runs: Readonly<Record<string, Run>> = {
  'Next.js': async (folder) => {
    console.log('Packs, installs and builds, which takes minutes');
    const server = await startNext(await buildNext(folder, NEXT));
    const steps = await playAnd(server.kill, playOutside(server));
    return { version: NEXT, set: 'One function under three names in `app/mcp/route.ts`', surprises: 'Nothing', steps };
  },
  ...Object.fromEntries(proxies.map((kind) => [kind.title, (folder: string) => playBehind(kind, folder)])),
};

/** Plays the story of a proxy behind the configuration of the documents. */
async function playBehind(kind: ProxyKind, folder: string): ReturnType<Run> {
  const program = programOf(kind.name, folder);
  const ports = [await freePort(), await freePort()];
  const port = await freePort();
  const nodes = ports.map(
    (each) =>
      new ProxiedNode({
        port: each,
        path: join(folder, 'sessions.db'),
        host: `127.0.0.1:${port}`,
        unreadyMs: kind.unreadyMs,
      }),
  );
  const shown = shownConfiguration(kind.name, ports);
  const start = (configuration: string, name: string) =>
    startProxy(program, kind, configuration, { folder: join(folder, name), port });
  try {
    for (const node of nodes) await node.start();
    let proxy = await start(shown, 'shown');
    const asksNodes = kind.unreadyMs > 0;
    const steps = await playAnd(proxy.stop, playProxied({ url: proxy.url, nodes, asksNodes }));
    if (kind.unsafe !== undefined) {
      proxy = await start(kind.unsafe(shown), 'unsafe');
      steps.push(await playAnd(proxy.stop, playRepeated({ url: proxy.url, nodes, asksNodes })));
    }
    return { version: kind.versionOf(program), set: kind.set, surprises: kind.surprises, steps };
  } finally {
    for (const node of nodes) await node.end();
  }
}

/** Waits for what is played, and then ends what it was played on. */
async function playAnd<T>(end: () => Promise<void>, played: Promise<T>): Promise<T> {
  try {
    return await played;
  } finally {
    await end();
  }
}

const wanted = process.argv.slice(2);
const recorded = new Map(
  (JSON.parse(readFileSync(RECORDED, 'utf8')) as RecordedPlatform[]).map((platform) => [platform.name, platform]),
);
for (const [name, run] of Object.entries(runs)) {
  if (wanted.length > 0 && !wanted.some((part) => name.toLowerCase().includes(part.toLowerCase()))) continue;
  const folder = mkdtempSync(join(tmpdir(), 'mcp-session-platforms-'));
  try {
    console.log(`\n${name}`);
    const { steps, ...rest } = await run(folder);
    for (const { step, ok, note } of steps) console.log(`${ok ? 'ok    ' : 'FAILED'} ${step} ${note}`);
    recorded.set(name, { name, date: new Date().toISOString().slice(0, 10), ...rest, steps });
    if (!steps.every(({ ok }) => ok)) process.exitCode = 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
writeFileSync(RECORDED, `${JSON.stringify([...recorded.values()], null, 2)}\n`);
