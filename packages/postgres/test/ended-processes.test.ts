import type { SessionBackend } from '@mcp-session/core/backend';
import { setTimeout as wait } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { Proxy, withoutMessages } from './support/proxy.ts';
import { newSchema, openBackend } from './support/schemas.ts';

/** What a backend knows of its process, as soon as it knows something. */
async function identityOf(backend: SessionBackend): Promise<string> {
  for (;;) {
    const identity = await backend.identifyProcess?.();
    if (identity !== undefined) return identity;
    await wait(20);
  }
}

/** Whether a backend ever knows of its process, for half a second. */
async function isEverIdentified(backend: SessionBackend): Promise<boolean> {
  for (let tries = 0; tries < 25; tries++) {
    if ((await backend.identifyProcess?.()) !== undefined) return true;
    await wait(20);
  }
  return false;
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

/** Whether the other backend ever finds that the process has ended, in more than a second. */
async function isEverFound(other: SessionBackend, process: string): Promise<boolean> {
  let isFound = false;
  for (let tries = 0; tries < 60; tries++) {
    isFound ||= (await other.findEndedProcesses?.([process]))?.has(process) === true;
    await wait(20);
  }
  return isFound;
}

it('a process that loses its connections and connects again has not ended, nor has one whose network hangs', async () => {
  const { proxy, backend, other } = await openTwo();
  const identity = await identityOf(backend);
  // It connects again after a time, in which others look. If the machine stands still then, it
  // looks as if it had ended.
  const isFoundAfterCuts: boolean[] = [];
  while (isFoundAfterCuts.length < 5 && !isFoundAfterCuts.includes(false)) {
    proxy.cut();
    proxy.hang();
    const found = isEverFound(other, identity);
    await wait(150);
    proxy.resume();
    isFoundAfterCuts.push(await found);
    expect(await identityOf(backend)).toBe(identity);
  }
  expect(isFoundAfterCuts).toContain(false);
  proxy.hang();
  expect(await isEverFound(other, identity)).toBe(false);
  proxy.cut();
});

it('a process that closed its connections has ended, for this server and role only', async () => {
  const { backend, other } = await openTwo();
  const identity = await identityOf(backend);
  await backend.close();
  const [server = '', name = ''] = identity.split(' ');
  const [role, start, keeper] = server.split('/').map(Number);
  const unknown = [
    [Number(role) + 1, start, keeper],
    [role, Number(start) + 1, keeper],
    [role, start, Number(keeper) + 1],
  ].map((place) => `${place.join('/')} ${name}`);
  // The one that has ended comes last, so that by then the others would have been found as well.
  const found = async () => await other.findEndedProcesses?.([...unknown, identity]);
  while ((await found())?.has(identity) !== true) await wait(50);
  expect(await found()).toEqual(new Set([identity]));
});

it('has no identity behind a pooler in transaction mode, with a name of its own, or without notifications', async () => {
  const { proxy, backend } = await openTwo();
  proxy.toClient = withoutMessages('A');
  expect(await isEverIdentified(backend)).toBe(false);
  const { url, schema } = await newSchema();
  const named = await openBackend({ url: `${url}?application_name=mine`, schema });
  await named.migrate();
  const silent = await Promise.all(
    (['on', 'off'] as const).map((notifications) => openBackend({ url, schema, notifications })),
  );
  for (const each of [named, ...silent]) expect(await isEverIdentified(each)).toBe(false);
});
