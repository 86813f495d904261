import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { root } from '@mcp-session-tooling/workspace/packages';
import { expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { blocksOf } from '../src/documents.ts';
import { manifestCode } from '../src/manifests.ts';
import { emptyFolder, freePort, start, untilItIsGone, untilItListens } from './support/server.ts';

const path = 'docs/operating/kubernetes.md';
const blocks = blocksOf({ path, text: readFileSync(join(root, path), 'utf8') });
const textOf = (language: string): string => blocks.find((block) => block.language === language)?.code ?? '';

/** The paths of the probes, and how long a pod has from preStop to SIGKILL, in seconds. */
const [deployment, service, budget] = parseAllDocuments(textOf('yaml'));
const inContainer = (...keys: readonly (string | number)[]): unknown =>
  deployment?.getIn(['spec', 'template', 'spec', 'containers', 0, ...keys]);
const probes = ['readinessProbe', 'livenessProbe'].map((probe) => String(inContainer(probe, 'httpGet', 'path')));

/** A server whose tool begins, and goes on when the test says so. */
const SERVER = `() => {
  const server = new McpServer({ name: 'notes', version: '1.0.0' });
  server.registerTool('wait', {}, async () => {
    console.log('begun');
    await new Promise((go) => process.stdin.once('data', go));
    process.stdin.pause();
    return { content: [{ type: 'text', text: 'done' }] };
  });
  return server;
};`;

it('the server answers the probes of the Deployment, and on SIGTERM the call that runs', async () => {
  const folder = emptyFolder();
  const port = await freePort();
  const block = blocks.find(({ language }) => language === 'ts');
  const code = `${block?.prelude}${block?.code}`
    .replace(/\(\): McpServer => .*/, SERVER)
    .replace('@mcp-session/postgres', '@mcp-session/sqlite')
    .replaceAll('createPostgresStore', 'createSqliteStore')
    .replace("{ schema: 'mcp' }", '')
    .replace('mcp.example.com', `127.0.0.1:${port}`)
    .replace('3000', `${port}, '127.0.0.1'`);
  writeFileSync(join(folder, 'server.mjs'), code);
  const server = start(join(folder, 'server.mjs'), folder);
  const ended = once(server, 'exit');
  await untilItListens(port);

  expect(probes).toEqual(['/readyz', '/healthz']);
  for (const probe of [...probes, '/other']) {
    expect((await fetch(`http://127.0.0.1:${port}${probe}`)).status).toBe(probe === '/other' ? 404 : 200);
  }
  const client = new Client({ name: 'pod', version: '1.0.0' });
  await client.connect(new StreamableHTTPClientTransport(new URL(`http://127.0.0.1:${port}/mcp`)));
  const call = client.callTool({ name: 'wait' });
  await once(server.stdout ?? process.stdin, 'data');

  server.kill('SIGTERM');
  // No probe is answered from here on, so the pod is not ready.
  await untilItIsGone(port);
  server.stdin?.write('go on');

  expect((await call).content).toEqual([{ type: 'text', text: 'done' }]);
  expect(await ended).toEqual([0, null]);
  await client.close();
});

it('the Deployment has two replicas, and a rollout takes none away', () => {
  expect(deployment?.getIn(['spec', 'replicas'])).toBe(2);
  expect(deployment?.getIn(['spec', 'strategy', 'rollingUpdate', 'maxUnavailable'])).toBe(0);
});

it('the probes, the Service and the container use the port that the server listens on', () => {
  const port = Number(/http\.listen\((?<port>\d+)\)/.exec(textOf('ts'))?.groups?.['port']);

  expect(port).toBeGreaterThan(0);
  expect(inContainer('ports', 0, 'containerPort')).toBe(port);
  for (const probe of ['readinessProbe', 'livenessProbe']) expect(inContainer(probe, 'httpGet', 'port')).toBe(port);
  expect(service?.getIn(['spec', 'ports', 0, 'targetPort'])).toBe(port);
});

it('the Deployment, the Service and the budget select the pods of the template', () => {
  const app = deployment?.getIn(['spec', 'template', 'metadata', 'labels', 'app']);

  expect(app).toBe('mcp');
  expect(deployment?.getIn(['spec', 'selector', 'matchLabels', 'app'])).toBe(app);
  expect(service?.getIn(['spec', 'selector', 'app'])).toBe(app);
  expect(budget?.getIn(['spec', 'selector', 'matchLabels', 'app'])).toBe(app);
});

it('a pod has the time that preStop and the drain take', () => {
  const grace = Number(deployment?.getIn(['spec', 'template', 'spec', 'terminationGracePeriodSeconds']));
  const preStop = Number(inContainer('lifecycle', 'preStop', 'sleep', 'seconds'));
  const drainMs = Number(/drainMs: (?<ms>[\d_]+)/.exec(textOf('ts'))?.groups?.['ms']?.replace('_', ''));

  expect(preStop + drainMs / 1_000).toBeLessThan(grace);
});

it('YAML that is no manifest, or cannot be parsed, is refused', () => {
  expect(() => manifestCode({ code: 'a: 1\n' })).toThrow('must be a manifest of Kubernetes');
  expect(() => manifestCode({ code: 'a: [1\n' })).toThrow('Flow sequence');
});
