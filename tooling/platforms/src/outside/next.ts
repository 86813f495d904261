import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { packAll, succeed } from '@mcp-session-tooling/packaging/pack';
import { createProject } from '@mcp-session-tooling/packaging/project';
import { root } from '@mcp-session-tooling/workspace/packages';
import { freePort } from './nodes.ts';
import type { OutsideServer } from './story.ts';

/** What the application installs from the registry, apart from Next itself. */
const OTHERS = {
  '@modelcontextprotocol/server': '^2.4.0',
  '@types/node': '^24',
  '@types/react': '^19',
  'better-sqlite3': '^13.0.0',
  react: '^19',
  'react-dom': '^19',
  // Next checks types with the compiler in JavaScript.
  typescript: '^5',
  zod: '^4',
};

const OURS = new Set(['@mcp-session/core', '@mcp-session/http', '@mcp-session/sqlite']);

/** A page, which Next wants beside a route, and the quickstart's server for the recipe. */
const FILES = {
  'app/layout.tsx':
    'export default function Layout({ children }: { children: React.ReactNode }) {\n  return <html><body>{children}</body></html>;\n}\n',
  'app/page.tsx': 'export default function Page() {\n  return <p>Notes</p>;\n}\n',
  'server.ts': `import type { Session } from '@mcp-session/core';
import { createNotesServer } from './notes';

export const createServer = ({ session }: { session: Session }) => createNotesServer(session as never);
`,
};

/** Builds an application with the recipe of the documents, from packed packages. */
export async function buildNext(folder: string, version: string): Promise<string> {
  const packed = (await packAll(folder)).filter(({ name }) => OURS.has(name));
  const app = join(folder, 'app');
  await createProject(app, { packages: packed, others: { ...OTHERS, next: version } }, packed);
  const { route, config } = recipe();
  mkdirSync(join(app, 'app', 'mcp'), { recursive: true });
  for (const [file, text] of Object.entries(FILES)) writeFileSync(join(app, file), text);
  cpSync(join(root, 'examples/quickstart/src/server.ts'), join(app, 'notes.ts'));
  writeFileSync(join(app, 'app/mcp/route.ts'), `import { createServer } from '../../server';\n${route}`);
  writeFileSync(join(app, 'next.config.mjs'), `export default { ${config} };\n`);
  await succeed(binary(app), ['build'], app);
  return app;
}

/** Starts a built application, and what kills it and starts it again at its address. */
export async function startNext(app: string): Promise<OutsideServer> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/mcp`;
  let kill = await start();
  return {
    url,
    kill: () => kill(),
    restart: async () => {
      await kill();
      kill = await start();
    },
  };

  async function start(): Promise<() => Promise<void>> {
    const args = ['start', '--port', String(port), '--hostname', '127.0.0.1'];
    const child = spawn(binary(app), args, { cwd: app, stdio: ['ignore', 'ignore', 'inherit'], detached: true });
    const ended = once(child, 'close');
    // 400 says that a request without a session came to the handler.
    while ((await fetch(url, { headers: { accept: 'text/event-stream' } }).catch(() => undefined))?.status !== 400) {
      if (child.exitCode !== null) throw new Error(`next start ended with exit code ${child.exitCode}`);
      await pause(50);
    }
    return async () => {
      // The processes that Next started too.
      if (child.exitCode === null && child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      await ended;
    };
  }
}

/** The route and the setting that `docs/guides/serving.md` shows. */
function recipe(): { readonly route: string; readonly config: string } {
  const page = readFileSync(join(root, 'docs/guides/serving.md'), 'utf8');
  const section = /^## Next\.js$(?<text>[\s\S]*?)^## /m.exec(page)?.groups?.['text'] ?? '';
  const route = /^```ts\n(?<code>[\s\S]*?)^```$/m.exec(section)?.groups?.['code'];
  const config = /`(?<code>serverExternalPackages: [^`]+)`/.exec(section)?.groups?.['code'];
  if (route === undefined || config === undefined) throw new Error('The documents have no recipe for Next.js');
  return { route, config };
}

function binary(app: string): string {
  return join(app, 'node_modules', '.bin', 'next');
}
