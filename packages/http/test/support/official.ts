import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, onTestFinished } from 'vitest';
import { newFile } from './nodes.ts';

const CLI = join(
  dirname(fileURLToPath(import.meta.resolve('@modelcontextprotocol/conformance/package.json'))),
  'dist/index.js',
);

/** One of the checks that a scenario makes. */
export interface Check {
  readonly id: string;
  readonly status: string;
  readonly errorMessage?: string;
}

/** Which scenarios of the official package to run. */
export interface Scenarios {
  readonly revision: '2025-11-25' | '2026-07-28';
  /** Those whose checks are wanted; the package runs the others as well. */
  readonly names: readonly string[];
}

/**
 * Runs the official package against nodes that take turns: each request goes to another one than
 * the request before.
 *
 * @returns The checks of each scenario. All have succeeded.
 */
export async function passOfficial(
  nodes: readonly RequestListener[],
  { revision, names }: Scenarios,
): Promise<ReadonlyMap<string, readonly Check[]>> {
  let requests = 0;
  const server = createServer((request, response) => {
    nodes[requests++ % nodes.length]?.(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const folder = dirname(await newFile());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
  const args = [CLI, 'server', '--url', url, '--suite', 'all', '--spec-version', revision, '-o', folder];
  await promisify(execFile)(process.execPath, args, { cwd: folder }).catch(
    // It fails for scenarios of other things, which these servers have no fixtures for.
    () => undefined,
  );
  const results = new Map<string, Check[]>();
  for (const name of await readdir(folder)) {
    const scenario = names.find((each) => name.startsWith(`server-${each}-20`));
    if (scenario === undefined) continue;
    const checks = JSON.parse(await readFile(join(folder, name, 'checks.json'), 'utf8')) as Check[];
    results.set(
      scenario,
      checks.filter(({ status }) => status !== 'INFO'),
    );
  }
  expect([...results.keys()].toSorted()).toEqual(names.toSorted());
  for (const [scenario, checks] of results) {
    const failed = checks.filter(({ status }) => status !== 'SUCCESS');
    expect([scenario, checks.length > 0, failed]).toEqual([scenario, true, []]);
  }
  return results;
}
