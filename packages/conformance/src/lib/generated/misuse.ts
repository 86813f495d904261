import type { SessionStore } from '@mcp-session/core';
import { createSessionStore, type SessionBackend } from '@mcp-session/core/backend';
import { createMemoryBackend } from '@mcp-session/core/memory';
import { performance } from 'node:perf_hooks';
import { NOW } from '../actions.ts';
import { isolatedCase, type Case, type CaseContext } from '../case.ts';
import { answer, calls, type Call } from './calls.ts';
import { ANSWER_MS, answered, check, sameWithin, wholeFromEnvironment } from './check.ts';
import type { World } from './hostile.ts';

/** The number of calls. Default: as many as the time allows. */
const CALLS_VARIABLE = 'MCP_SESSION_CONFORMANCE_CALLS';
const TIME_MS = 2_000;
const RUNS_A_TURN = 20;
const PRINCIPALS = [null, 'alice', null];

export const misuseCases: readonly Case[] = [
  isolatedCase('generated.misuse', 'hostile keys, values, ids, cursors and options', async (t) => {
    const clock = { now: NOW };
    const stores = await Promise.all([t.backend, createMemoryBackend()].map((backend) => storeOn(backend, clock)));
    const [own, model] = stores as [SessionStore, SessionStore];
    const most = wholeFromEnvironment(CALLS_VARIABLE) ?? 0;
    const until = performance.now() + TIME_MS;
    let [run, made] = [0, 0];
    for (let turn = 0; most > 0 ? made < most : performance.now() < until; turn++) {
      await check({
        calls,
        compare: async (chosen) => {
          made += chosen.length;
          const [mine, models] = [await worldOf(t, own, ++run), await worldOf(t, model, run)];
          for (const call of chosen) {
            clock.now += 1;
            await compare(t, call, mine, models);
          }
        },
        tell,
        runs: RUNS_A_TURN,
        turn,
      });
    }
  }),
];

/** Limits that calls can reach. The store is never closed, because that would close the backend. */
async function storeOn(backend: SessionBackend, clock: { readonly now: number }): Promise<SessionStore> {
  return createSessionStore(backend, {
    sweep: false,
    clock: () => clock.now,
    stateLimits: { maxValueBytes: 1_000, maxKeys: 4, maxTotalBytes: 2_500 },
  });
}

async function worldOf(t: CaseContext, store: SessionStore, run: number): Promise<World> {
  const kind = `${t.kind}-m${run}`;
  const sessions = [];
  for (const [index, principal] of PRINCIPALS.entries()) {
    sessions.push(await store.create({ id: t.id(`m${run}-${index}`), kind, principal }));
  }
  return { store, sessions, cursors: [] };
}

async function compare(t: CaseContext, call: Call, own: World, model: World): Promise<void> {
  const promised = await answer(model, call);
  const lagMs = call.method === 'list' || call.method === 'count' ? t.listLagMs : 0;
  const name = tell(call);
  const get = () => answered(answer(own, call), ANSWER_MS, name);
  await sameWithin(lagMs, get, promised, `${name} is not answered as by the model`);
}

function tell({ method, session, arguments: given }: Call): string {
  return `session ${session}: ${method}(${given.map(({ name }) => name).join(', ')})`;
}
