import {
  appendAll,
  commit,
  event,
  HOUR,
  newSession,
  NOW,
  range,
  recordChange,
  request,
  trim,
  write,
} from '../actions.ts';
import { sharedCase, isolatedCase, type Case, type CaseContext } from '../case.ts';
import { same } from '../findings.ts';
import { checkLeftovers } from '../leftovers.ts';
import { sweepAll } from '../walks.ts';

const SESSIONS = 120;
const EVENTS = 20;
/** The limit of one sweep: at most a twentieth of all rows. */
const STEP = 100;

/** Creates sessions that expire at `NOW + 1_000`, some of them ended, with rows in every table. */
async function furnish(t: CaseContext): Promise<string[]> {
  const ids = await Promise.all(range(1, SESSIONS).map(() => t.createLive({ expiresAt: NOW + 1_000 })));
  const events = range(1, EVENTS).map((index) => event(`s${index % 2}`, String(index)));
  const each = Math.max(1, Math.floor(t.capabilities.maxBatchEvents / EVENTS));
  const requests = ids.map((id) => request(id, events));
  for (let from = 0; from < SESSIONS; from += each) await appendAll(t.backend, requests.slice(from, from + each));
  const some = ids.filter((_, index) => index % 10 === 0);
  await Promise.all(
    some.map(async (id) => {
      await commit(t.backend, id, [write('a', '1'), write('b', '2')]);
      await trim(t.backend, id, { maxEvents: EVENTS - 1 });
      await t.backend.endSession(id, NOW + 1_000, NOW);
    }),
  );
  return ids;
}

export const leftoverCases: readonly Case[] = [
  isolatedCase('sweep.leftovers', 'four handles at once, many steps each', async (t) => {
    const ids = await furnish(t);
    const swept = await Promise.all((await t.handles(4)).map((backend) => sweepAll(backend, NOW + 1_000, STEP)));
    const rest = await sweepAll(t.backend, NOW + 1_000);
    same([...swept.flat(), ...rest].toSorted(), ids.toSorted(), 'ids that four sweeps at once named, each once');
    const rows = await t.rows();
    checkLeftovers(rows);
    const tables = rows.map(({ table }) => table);
    same(tables, [], 'tables of the rows that are left when every session is gone');
  }),

  isolatedCase('sessions.tombstone.bare', 'after the next sweep', async (t) => {
    const secrets = ['profile', 'principal', 'record', 'value', 'message'].map((word) => `${word}-${t.id('secret')}`);
    const [profile = '', principal = '', record = '', value = '', message = ''] = secrets;
    const id = await t.createLive({ profile: `"${profile}"`, principal });
    await t.backend.updateSession(id, recordChange(`"${record}"`, 0), NOW);
    await commit(t.backend, id, [write('k', `"${value}"`)]);
    await appendAll(t.backend, [request(id, [event('s', `"${message}"`)])]);
    const holding = async (): Promise<string[]> => {
      const rows = await t.rows();
      return secrets.filter((secret) => rows.some(({ text }) => text.includes(secret)));
    };
    const visible = (await t.rows()).length > 0;
    if (visible) same(await holding(), secrets, 'what rows() shows of a live session');
    await t.backend.endSession(id, NOW + HOUR, NOW + 1);
    await sweepAll(t.backend, NOW + 2);
    same(await holding(), [], 'what is still stored of an ended session after a sweep');
    same(await t.backend.createSession(newSession(id), NOW + 3), false, 'createSession with the id of a tombstone');
  }),

  sharedCase('sessions.read.asker', 'the kind, the principal, or none', async (t) => {
    const kind = 'session';
    const [owned, free] = [await t.createLive({ principal: 'alice' }), await t.createLive()];
    const seen = async (id: string, asker: { readonly kind: string; readonly principal: string | null }) =>
      (await t.backend.readSession(id, NOW, asker)) !== undefined;
    for (const [principal, sees] of [
      ['alice', true],
      ['bob', false],
      ['Alice', false],
      ['alice ', false],
      ['', false],
      [null, false],
    ] as const) {
      same(await seen(owned, { kind, principal }), sees, `readSession of alice's session by ${principal}`);
      same(await seen(free, { kind, principal }), true, `readSession of nobody's session by ${principal}`);
    }
    same(await seen(owned, { kind: 'task', principal: 'alice' }), false, 'readSession of another kind');
    same(await seen(free, { kind: 'Session', principal: null }), false, 'readSession of a kind in other letters');
    same((await t.backend.readSession(owned, NOW))?.principal, 'alice', 'principal, where nobody is compared');
    const row = await t.backend.readSession(owned, NOW, { kind, principal: 'alice' });
    same([row?.id, row?.principal, row?.profile], [owned, 'alice', '{}'], 'readSession by the one that it belongs to');
    const expired = await t.backend.readSession(owned, NOW + HOUR, { kind, principal: 'alice' });
    same(expired, undefined, 'readSession of an expired session by the one that it belongs to');
  }),
];
