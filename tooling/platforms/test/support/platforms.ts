import { StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { expect } from 'vitest';
import {
  startBun,
  startDeno,
  startNest,
  startNode,
  type StartRuntime,
  startWorkers,
  startWorkersPerRequest,
} from '../../src/runtimes/run.ts';
import { type BackendName, type Platform, platforms } from '../../src/tables/platforms.ts';
import { deploy } from './deployment.ts';
import { newPlace } from './place.ts';
import { playStory } from './story.ts';

/** A platform with one of its stores. */
export interface PlatformCase {
  readonly name: string;
  readonly start: StartRuntime;
  readonly backend: BackendName;
}

const starts: Readonly<Record<Platform['id'], StartRuntime>> = {
  node: startNode,
  nest: startNest,
  bun: startBun,
  deno: startDeno,
  workers: startWorkers,
  workersPerRequest: startWorkersPerRequest,
};

/** The cases of the table: those of Workers, or all others. They are in two files, for speed. */
export function casesOf(group: 'workers' | 'others'): PlatformCase[] {
  return platforms
    .filter(({ id }) => id.startsWith('workers') === (group === 'workers'))
    .flatMap(({ id, name, backends }) => backends.map((backend) => ({ name, start: starts[id], backend })));
}

/** Plays the story with the SDK's client, and ends the session with DELETE. */
export async function playOnPlatform({ start, backend }: PlatformCase): Promise<void> {
  const deployment = await deploy(start, await newPlace(backend));
  const cursors: string[] = [];
  const transport = new StreamableHTTPClientTransport(new URL(deployment.url), {
    fetch: (url, init) => {
      cursors.push(new Headers(init?.headers).get('last-event-id') ?? '');
      return fetch(url, init);
    },
  });
  await playStory(deployment, transport);
  expect(cursors.filter((cursor) => cursor.includes('.req-'))).not.toEqual([]);

  const headers = { accept: 'text/event-stream', 'mcp-session-id': transport.sessionId ?? '' };
  await transport.terminateSession();
  expect((await fetch(deployment.url, { headers })).status).toBe(404);
}
