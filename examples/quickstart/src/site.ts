import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { examplesFor } from './welcome.ts';

/** How long the store may take to answer, in milliseconds. */
const READY_MS = 2_000;

/** What the pages beside the MCP endpoint need. */
export interface SiteOptions {
  /** Where the MCP endpoint is. */
  readonly url: string;
  /** Where the sessions are, in words. */
  readonly whereSessionsAre: string;
  /** Rejects if the store does not answer. */
  readonly askStore: () => Promise<unknown>;
  readonly isStopping: () => boolean;
}

/**
 * Serves a page for people at `/`, and the probes: `/healthz` while the process lives, `/readyz`
 * while its store answers and it is not stopping.
 */
export function createSite(options: SiteOptions): (request: IncomingMessage, response: ServerResponse) => void {
  const page = pageOf(options);
  const isReady = readiness(options);
  return (request, response) => {
    const path = request.url?.split('?', 1)[0] ?? '';
    if (!['/', '/healthz', '/readyz'].includes(path)) {
      answer(response, 404, 'There is only /mcp, /, /healthz and /readyz\n');
    } else if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD');
      answer(response, 405, `${path} takes GET; the MCP endpoint is /mcp\n`);
    } else if (path === '/') {
      for (const [name, value] of page.headers) response.setHeader(name, value);
      response.writeHead(200).end(page.html);
    } else if (path === '/healthz') {
      answer(response, 200, 'ok\n');
    } else {
      void isReady().then((reason) => answer(response, reason === undefined ? 200 : 503, `${reason ?? 'ready'}\n`));
    }
  };
}

/**
 * Resolves with why the server is not ready. Any number of probes are one question to the store.
 */
function readiness({ askStore, isStopping }: SiteOptions): () => Promise<string | undefined> {
  let asked: Promise<string | undefined> | undefined;
  return async () => {
    if (isStopping()) return 'stopping';
    asked ??= Promise.race([
      askStore().then(
        () => undefined,
        () => 'the store fails',
      ),
      pause(READY_MS, 'the store does not answer', { ref: false }),
    ]).finally(() => (asked = undefined));
    return asked;
  };
}

function answer(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' }).end(text);
}

const STYLE = `
:root { color-scheme: light dark; --text: #1f2328; --back: #fff; --soft: #f3f4f6; }
@media (prefers-color-scheme: dark) { :root { --text: #e6edf3; --back: #0d1117; --soft: #1c222b; } }
body { margin: 3rem auto; max-width: 46rem; padding: 0 1rem; font: 1rem/1.6 system-ui, sans-serif;
  color: var(--text); background: var(--back); }
pre { padding: .8rem 1rem; border-radius: .5rem; background: var(--soft); white-space: pre-wrap;
  overflow-wrap: anywhere; font: .85rem/1.5 ui-monospace, monospace; }
`;

/** The page. It runs no script and requests nothing. */
function pageOf({ url, whereSessionsAre }: SiteOptions): {
  readonly html: string;
  readonly headers: ReadonlyMap<string, string>;
} {
  const { client, begin, call } = examplesFor(url);
  const block = (text: string): string => `<pre tabindex="0"><code>${escaped(text)}</code></pre>`;
  const hash = createHash('sha256').update(STYLE).digest('base64');
  const policy = `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;
  const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Notes: an MCP server</title>
<link rel="icon" href="data:,">
<style>${STYLE}</style>
</head>
<body>
<h1>Notes: an MCP server</h1>
<p>This server keeps notes in durable sessions. MCP clients reach it at <code>${escaped(url)}</code>.</p>
<p>Sessions are ${escaped(whereSessionsAre)}.</p>
<h2>In an MCP client</h2>
${block(client)}
<h2>In a terminal</h2>
<p>Begin a session:</p>
${block(begin)}
<p>Then add a note to it, as often as you like:</p>
${block(call)}
<h2>See it survive</h2>
<p>Stop the server, start it again, and add another note in the same session. Or watch the demo:</p>
${block('npx -y pnpm@12 demo')}
<h2>Look into its sessions</h2>
<p>The command <code>mcp-session</code> of <code>@mcp-session/cli</code> lists, shows and ends sessions.</p>
</body>
</html>
`;
  const headers = new Map([
    ['content-type', 'text/html; charset=utf-8'],
    ['content-security-policy', policy],
    ['x-content-type-options', 'nosniff'],
    ['referrer-policy', 'no-referrer'],
    ['cache-control', 'no-store'],
  ]);
  return { html, headers };
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
