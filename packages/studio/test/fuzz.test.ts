import { createMemoryStore } from '@mcp-session/core/memory';
import { createStudio } from '@mcp-session/studio';
import * as fc from 'fast-check';
import { expect, it, onTestFinished } from 'vitest';
import { shown } from '../src/lib/values.ts';
import { LOOPBACK } from './support/ask.ts';

const NAMES = ['about', 'kinds', 'sessions', 'count', 'session', 'state', 'value', 'events', 'event', 'live', 'end'];
const FIELDS = ['id', 'kind', 'principal', 'search', 'cursor', 'limit', 'since', 'key', 'afterKey', 'seq', 'afterSeq'];

async function prepare() {
  const store = await createMemoryStore({ sweep: false });
  onTestFinished(() => store.close());
  const session = await store.create({ id: 'known' });
  await session.state.set('__proto__', { constructor: null });
  await session.events.append('s', {});
  const errors: unknown[] = [];
  const studio = createStudio({ store, onError: (error) => errors.push(error) });
  return { studio, errors };
}

async function settle(response: Response): Promise<void> {
  if (response.headers.get('content-type') === 'text/event-stream') await response.body?.cancel();
  else await response.arrayBuffer();
}

const path = fc.oneof(
  fc.constantFrom(...NAMES).map((name) => `/api/${name}`),
  fc.webPath(),
  fc.string({ maxLength: 30 }).map((text) => `/${encodeURI(text.toWellFormed())}`),
  fc.constantFrom(
    '/api/',
    '/api',
    '//',
    '/api/__proto__',
    '/constructor',
    '/api/constructor',
    '/%',
    '/assets/../index.html',
  ),
);
const value = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom<unknown>(
    'known',
    null,
    -1,
    0,
    1,
    1e308,
    2 ** 53,
    '\0',
    '\ud800',
    'a'.repeat(300),
    '__proto__',
    [],
    {},
  ),
);
const args = fc.dictionary(fc.constantFrom(...FIELDS, 'streamId', 'after', '__proto__'), value);
const body = fc.oneof(
  args.map((each) => JSON.stringify(each)),
  fc.string(),
  fc.json(),
  fc.constant('['.repeat(2_000)),
);
const header = fc.tuple(
  fc.constantFrom(
    'host',
    'origin',
    'content-type',
    'sec-fetch-site',
    'content-length',
    'authorization',
    'last-event-id',
  ),
  fc.stringMatching(/^[\x20-\x7e]{0,30}$/),
);

it('no path, method, header or body makes the studio fail', async () => {
  const { studio, errors } = await prepare();
  const method = fc.constantFrom('GET', 'HEAD', 'POST', 'POST', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'PURGE');
  const property = fc.asyncProperty(
    path,
    method,
    body,
    fc.array(header, { maxLength: 3 }),
    async (at, verb, text, given) => {
      const headers = [['content-type', 'application/json'] as [string, string], ...given];
      const init = { method: verb, headers: Object.fromEntries(headers) };
      const hasBody = verb !== 'GET' && verb !== 'HEAD';
      const request = new Request(`http://localhost${at}`, hasBody ? { ...init, body: text } : init);
      const response = await studio.fetch(request, LOOPBACK);
      await settle(response);
      expect(response.status).toBeLessThan(500);
      expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
    },
  );
  await fc.assert(property, { numRuns: 1_500 });
  expect(errors).toEqual([]);
});

it('no argument of an operation makes it fail', async () => {
  const { studio, errors } = await prepare();
  const property = fc.asyncProperty(fc.constantFrom(...NAMES), args, async (name, given) => {
    const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(given) };
    const response = await studio.fetch(new Request(`http://localhost/api/${name}`, init), LOOPBACK);
    await settle(response);
    expect(response.status).toBeLessThan(500);
    // The session that others look at stays unless it is ended.
  });
  await fc.assert(property, { numRuns: 1_500 });
  expect(errors).toEqual([]);
});

it('a body that is too large is refused, and one that breaks off too', async () => {
  const { studio } = await prepare();
  const init = { method: 'POST', headers: { 'content-type': 'application/json' } };
  const large = new Request('http://localhost/api/about', {
    ...init,
    body: JSON.stringify({ id: 'x'.repeat(20_000) }),
  });
  expect((await studio.fetch(large, LOOPBACK)).status).toBe(413);
  const broken = new ReadableStream({ pull: (controller) => controller.error(new Error('reset')) });
  const request = new Request('http://localhost/api/about', { ...init, body: broken, duplex: 'half' });
  expect((await studio.fetch(request, LOOPBACK)).status).toBe(400);
});

it('a value that is nested too deeply is named as such', () => {
  const depth = 200_000;
  const deep: unknown = JSON.parse('['.repeat(depth) + ']'.repeat(depth));

  expect(shown(deep)).toEqual({ text: '"(nested too deeply to be shown)"', size: 33 });
});
