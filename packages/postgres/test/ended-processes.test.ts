import type { SessionBackend } from '@mcp-session/core/backend';
import { setTimeout as wait } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { Proxy, withoutMessages } from './support/proxy.ts';
import { newSchema, openBackend } from './support/schemas.ts';

/** What a backend knows of its process within half a second. */
async function identityOf(backend: SessionBackend): Promise<string | undefined> {
  for (let tries = 0; tries < 25; tries++) {
    const identity = await backend.identifyProcess?.();
    if (identity !== undefined) return identity;
    await wait(20);
  }
  return undefined;
}

/** Two backends on one schema, the first of them behind a proxy. */
async function openTwo() {
  const { url, schema } = await newSchema();
  const proxy = await Proxy.open(url);
  const backend = await openBackend({ url: proxy.url, schema });
  const other = await openBackend({ url, schema });
  await backend.migrate();
  return { proxy, backend, other };
}

/** Whether the other backend ever finds that the process has ended, for more than a second. */
async function isEverFound(other: SessionBackend, process: string): Promise<boolean> {
  for (let tries = 0; tries < 24; tries++) {
    if ((await other.findEndedProcesses?.([process]))?.has(process) === true) return true;
    await wait(50);
  }
  return false;
}

it('a process that loses its connections and connects again has not ended, nor has one whose network hangs', async () => {
  const { proxy, backend, other } = await openTwo();
  const identity = (await identityOf(backend)) ?? '';
  expect(identity).not.toBe('');
  proxy.cut();
  expect(await isEverFound(other, identity)).toBe(false);
  expect(await identityOf(backend)).toBe(identity);
  proxy.hang();
  expect(await isEverFound(other, identity)).toBe(false);
  proxy.cut();
});

it('a process that closed its connections has ended, for this server and role only', async () => {
  const { backend, other } = await openTwo();
  const identity = (await identityOf(backend)) ?? '';
  await backend.close();
  const [server = '', name = ''] = identity.split(' ');
  const [role, start, keeper] = server.split('/').map(Number);
  for (const unknown of [
    [Number(role) + 1, start, keeper],
    [role, Number(start) + 1, keeper],
    [role, start, Number(keeper) + 1],
  ]) {
    expect(await other.findEndedProcesses?.([`${unknown.join('/')} ${name}`])).toEqual(new Set());
  }
  expect(await isEverFound(other, identity)).toBe(true);
});

it('has no identity behind a pooler in transaction mode, with a name of its own, or without notifications', async () => {
  const { proxy, backend } = await openTwo();
  proxy.toClient = withoutMessages('A');
  expect(await identityOf(backend)).toBeUndefined();
  const { url, schema } = await newSchema();
  const named = await openBackend({ url: `${url}?application_name=mine`, schema });
  await named.migrate();
  const silent = await Promise.all(
    (['on', 'off'] as const).map((notifications) => openBackend({ url, schema, notifications })),
  );
  for (const each of [named, ...silent]) expect(await identityOf(each)).toBeUndefined();
});
