import { createMemoryStore } from '@mcp-session/core/memory';
import { createStudio, type StudioAction, type StudioOptions } from '@mcp-session/studio';
import { describe, expect, it, onTestFinished } from 'vitest';
import { LOOPBACK, requestOf } from './support/ask.ts';
import { serve } from './support/server.ts';

async function prepare(options: Partial<StudioOptions> = {}) {
  const store = await createMemoryStore({ sweep: false });
  onTestFinished(() => store.close());
  return createStudio({ store, ...options });
}

describe('without authorize', () => {
  it.each([
    ['an unknown connection', {}, {}],
    ['another machine', { remoteAddress: '192.168.1.7' }, {}],
    ['another machine over IPv6', { remoteAddress: '2001:db8::1' }, {}],
    ['a name that an attacker resolves to this machine', LOOPBACK, { host: 'evil.example' }],
    ['a name that only begins like one of this machine', LOOPBACK, { host: 'localhost.evil.example' }],
    ['a proxy', LOOPBACK, { 'x-forwarded-for': '203.0.113.9' }],
  ])('%s is refused', async (_, connection, headers) => {
    const studio = await prepare();
    for (const request of [requestOf('/', undefined, headers), requestOf('/api/about', {}, headers)]) {
      const response = await studio.fetch(request, connection);
      expect(response.status).toBe(403);
      expect(await response.json()).toMatchObject({ error: { code: 'FORBIDDEN' } });
    }
  });

  it.each(['127.0.0.1', '127.8.8.8', '::1', '::ffff:127.0.0.1'])('%s is this machine', async (remoteAddress) => {
    const studio = await prepare();
    for (const host of ['localhost:4000', '127.0.0.1:4000', '[::1]:4000', 'app.localhost']) {
      const headers = { host, origin: `http://${host}`, 'sec-fetch-site': 'same-origin' };
      expect((await studio.fetch(requestOf('/api/about', {}, headers), { remoteAddress })).status).toBe(200);
    }
  });

  it('a proxy on this machine that adds no header is found out by the page that its users see', async () => {
    const studio = await prepare();
    for (const origin of ['https://admin.example.com', 'http://192.168.1.7:8080']) {
      // As nginx sends it at its defaults: Host names the studio, and nothing says who asks.
      const headers = { host: '127.0.0.1:4000', origin, 'sec-fetch-site': 'same-origin' };
      const response = await studio.fetch(requestOf('/api/about', {}, headers), LOOPBACK);
      expect(response.status).toBe(403);
      expect(await response.json()).toMatchObject({
        error: { message: expect.stringContaining('give createStudio an authorize') },
      });
    }
  });

  it('node:http serves it on loopback', async () => {
    const store = await createMemoryStore({ sweep: false });
    onTestFinished(() => store.close());
    const { url, close } = await serve({ store });
    onTestFinished(close);

    expect((await fetch(url)).status).toBe(200);
    const answered = await fetch(`${url}api/about`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{}',
    });
    expect(await answered.json()).toMatchObject({ backend: 'memory', readOnly: false });
  });
});

describe('pages of other origins', () => {
  it.each<[string, Record<string, string>]>([
    ['another site', { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }],
    ['another port of this machine', { 'sec-fetch-site': 'same-site', origin: 'http://localhost:3000' }],
    ['another origin, in a browser that says no more', { 'sec-fetch-site': 'none', origin: 'https://evil.example' }],
    ['a sandbox', { 'sec-fetch-site': 'none', origin: 'null' }],
  ])('%s cannot use the API', async (_, headers) => {
    for (const studio of [await prepare(), await prepare({ authorize: () => true })]) {
      const response = await studio.fetch(requestOf('/api/sessions', {}, headers), LOOPBACK);
      expect(response.status).toBe(403);
      expect(response.headers.has('access-control-allow-origin')).toBe(false);
    }
  });

  it('no form of another page has the type that the API takes', async () => {
    const studio = await prepare();
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/jsonp', '']) {
      const response = await studio.fetch(requestOf('/api/sessions', {}, { 'content-type': type }), LOOPBACK);
      expect(response.status).toBe(415);
    }
  });
});

describe('authorize', () => {
  it('decides about each request, and learns what it asks for', async () => {
    const asked: StudioAction[] = [];
    const authorize = (request: Request, action: StudioAction) => {
      asked.push(action);
      return action === 'page' || request.headers.get('authorization') === 'Bearer t';
    };
    const studio = await prepare({ authorize });
    const status = async (request: Request) => (await studio.fetch(request)).status;

    expect(await status(requestOf('/'))).toBe(200);
    expect(await status(requestOf('/api/sessions', {}))).toBe(403);
    expect(await status(requestOf('/api/sessions', {}, { authorization: 'Bearer t' }))).toBe(200);
    expect(await status(requestOf('/api/end', { id: 'none' }, { authorization: 'Bearer t' }))).toBe(404);
    expect(asked).toEqual(['page', 'read', 'read', 'end']);
  });

  it('may answer by itself, and anything but true refuses', async () => {
    const login = await prepare({
      authorize: () => new Response(null, { status: 302, headers: { location: '/login' } }),
    });
    expect((await login.fetch(requestOf('/'))).headers.get('location')).toBe('/login');
    for (const value of [false, undefined, 'yes', 1, {}]) {
      const studio = await prepare({ authorize: () => value as never });
      expect((await studio.fetch(requestOf('/api/about', {}))).status).toBe(403);
    }
  });

  it('that fails refuses, and its error is reported', async () => {
    const errors: unknown[] = [];
    const failing = () => Promise.reject(new Error('no directory'));
    const studio = await prepare({ authorize: failing, onError: (error) => errors.push(error) });
    const response = await studio.fetch(requestOf('/api/sessions', {}));

    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain('no directory');
    expect(errors).toEqual([new Error('no directory')]);
  });

  it('that fails is in the log once a minute', async () => {
    const lines: unknown[][] = [];
    const quiet = (): void => undefined;
    const logger = { debug: quiet, info: quiet, warn: quiet, error: (...line: unknown[]) => void lines.push(line) };
    const studio = await prepare({ authorize: () => Promise.reject(new Error('no directory')), logger });
    for (let count = 0; count < 3; count++) await studio.fetch(requestOf('/api/sessions', {}));

    expect(lines).toEqual([[{ err: new Error('no directory') }, '@mcp-session/studio: unexpected error']]);
  });
});

describe('responses', () => {
  it('load nothing from elsewhere, and nothing keeps what is stored', async () => {
    const studio = await prepare({ basePath: '/admin/studio' });
    const page = await studio.fetch(requestOf('/admin/studio/'), LOOPBACK);
    const html = await page.text();
    const csp = page.headers.get('content-security-policy');
    expect(csp).toContain("default-src 'none'");
    expect(csp).not.toContain('unsafe');
    expect(page.headers.get('referrer-policy')).toBe('no-referrer');
    expect(html).not.toMatch(/<script(?![^>]*\ssrc=")|<style|\sstyle=|\son\w+=|https?:/);

    for (const [, path = ''] of html.matchAll(/(?:src|href)="\.\/([^"]+)"/g)) {
      const asset = await studio.fetch(requestOf(`/admin/studio/${path}`), LOOPBACK);
      expect({ path, status: asset.status }).toEqual({ path, status: 200 });
      expect(asset.headers.get('x-content-type-options')).toBe('nosniff');
    }
    const answered = await studio.fetch(requestOf('/admin/studio/api/about', {}), LOOPBACK);
    expect(answered.status).toBe(200);
    expect(answered.headers.get('cache-control')).toBe('no-store');
    expect((await studio.fetch(requestOf('/admin/studio'), LOOPBACK)).headers.get('location')).toBe('/admin/studio/');
    for (const path of ['/admin', '/', '/admin/studio/none', '/admin/studiox']) {
      expect((await studio.fetch(requestOf(path), LOOPBACK)).status).toBe(404);
    }
  });

  it.each([{}, { basePath: '/admin' }])(
    'a studio that is mounted elsewhere than %j says what to set',
    async (options) => {
      const studio = await prepare(options);
      const response = await studio.fetch(requestOf('/studio/'), LOOPBACK);
      expect(response.status).toBe(404);
      expect(await response.json()).toEqual({
        error: {
          code: 'NOT_FOUND',
          message: 'There is nothing here; if the studio is mounted at another path, set its option basePath to it',
        },
      });
    },
  );

  it('options are checked when the studio is made', async () => {
    const store = await createMemoryStore({ sweep: false });
    onTestFinished(() => store.close());
    const make = (options: object) => () => createStudio(options as StudioOptions);

    expect(make({})).toThrow('Option store is undefined, not a session store');
    expect(make({ store: Promise.resolve(store) })).toThrow('await the store first');
    expect(make({ store, readonly: true })).toThrow('did you mean readOnly?');
    expect(make({ store, basePath: 'studio' })).toThrow('not a path such as "/studio"');
    expect(make({ store, authorize: true })).toThrow('authorize is not a function');
  });
});
