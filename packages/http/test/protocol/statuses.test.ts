import { SessionError, type SessionErrorCode } from '@mcp-session/core';
import { readFile } from 'node:fs/promises';
import { describe, expect, it, vi } from 'vitest';
import { errorToResponse, isServerFault } from '../../src/lib/protocol/http-errors.ts';
import { start } from '../support/harness.ts';
import { lines } from '../support/lines.ts';
import { initialize } from '../support/raw.ts';

const documented: Promise<string> = readFile(new URL('../../../../docs/reference/errors.md', import.meta.url), 'utf8');

describe('statuses', () => {
  it('each code has the status that docs/reference/errors.md names; onError gets each 500 and each failure of the store', async () => {
    // A TaskError never reaches a handler.
    const ofSessions = (await documented).replace(/^## Tasks\n[^]*?(?=^## )/m, '');
    const sections = ofSessions.split(/^### /m).slice(1);
    const codes = sections.map((section) => /^`([A-Z_]+)`/.exec(section)?.[1] as SessionErrorCode);
    expect(codes).toHaveLength(31);
    for (const [index, code] of codes.entries()) {
      const error = new SessionError(code, 'at /secret/path');
      const response = errorToResponse(error);
      const named =
        /HTTP:[^]*?\b(\d{3})\b/.exec(sections[index] ?? '')?.[1] ?? (code.startsWith('STORE_') ? '503' : '500');
      expect([code, String(response.status)]).toEqual([code, named]);
      expect([code, isServerFault(error)]).toEqual([
        code,
        response.status === 500 || code.startsWith('STORE_') || code === 'PROFILE_CONFLICT',
      ]);
      expect(response.headers.has('retry-after')).toBe(response.status === 503);
      expect(await response.text()).not.toContain('secret');
    }
  });

  it('an unknown error is a 500, and onError gets it', () => {
    for (const thrown of [new TypeError('x'), 'text', undefined, new SessionError('NEW' as SessionErrorCode, 'x')]) {
      expect([errorToResponse(thrown).status, isServerFault(thrown)]).toEqual([500, true]);
    }
  });
});

describe.each(lines)('refusals, SDK $name', (line) => {
  it.each([
    ['malformed', () => 'with space'],
    ['taken', () => 'the-same'],
    ['no text', () => 7 as never],
  ])('an id of generateSessionId that is %s is a 500, and onError gets it', async (_, generateSessionId) => {
    const { raw, errors } = await start(line, { generateSessionId });
    const statuses = [(await raw().post(initialize())).status, (await raw().post(initialize())).status];
    expect(statuses.at(-1)).toBe(500);
    expect(errors).toHaveLength(statuses.filter((status) => status === 500).length);
    expect(errors.at(-1)).toBeInstanceOf(SessionError);
  });

  it('without onError, internal errors go to the console: one line that names it, and the error', async () => {
    const printed = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    const { raw, store } = await start(line, { onError: undefined as never });
    expect((await raw().callTool('x')).status).toBe(400);
    expect((await raw({ authorization: 'Bearer x' }).post(initialize())).status).toBe(500);
    await store.close();
    expect((await raw().post(initialize())).status).toBe(503);
    expect(printed.mock.calls).toEqual([
      ['@mcp-session/http: unexpected error', expect.any(TypeError)],
      ['@mcp-session/http: STORE_CLOSED (store)', expect.any(SessionError)],
    ]);
    printed.mockRestore();
  });

  it('a body in another encoding or charset is a 415', async () => {
    const { raw } = await start(line);
    const status = async (headers: Record<string, string>): Promise<number> =>
      (await raw().post(initialize(), headers)).status;
    for (const coding of ['gzip', 'br', 'identity, gzip', 'x']) {
      expect([coding, await status({ 'content-encoding': coding })]).toEqual([coding, 415]);
    }
    expect(await status({ 'content-encoding': 'Identity' })).toBe(200);
    for (const charset of ['utf-16', 'latin1', '"iso-8859-1"']) {
      expect([charset, await status({ 'content-type': `application/json; charset=${charset}` })]).toEqual([
        charset,
        415,
      ]);
    }
    for (const charset of ['utf-8', 'UTF-8', '"utf-8"']) {
      expect([charset, await status({ 'content-type': `application/json;charset=${charset}` })]).toEqual([
        charset,
        200,
      ]);
    }
  });

  it('no answer may be cached', async () => {
    const { raw } = await start(line);
    const client = raw();
    const answers = [
      await client.post(initialize()),
      await client.callTool('x'),
      await client.get({ 'mcp-session-id': 'unknown' }),
      await client.send('PUT', {}),
      await client.post(initialize(), { accept: 'text/plain' }),
    ];
    await client.begin();
    answers.push(await client.post({ jsonrpc: '2.0', method: 'notifications/initialized' }), await client.delete());
    expect(answers.map(({ status }) => status)).toEqual([200, 400, 404, 405, 406, 202, 204]);
    expect(answers.map(({ headers }) => headers.get('cache-control'))).toEqual(Array(7).fill('no-store'));
  });

  it("refusals use the words of the official SDK's transport", async () => {
    const { raw } = await start(line);
    const client = raw();
    await client.begin();
    const said = async (
      status: number,
      response: { readonly status: number; error(): Promise<{ message: string }> },
    ): Promise<string> => {
      expect(response.status).toBe(status);
      return (await response.error()).message;
    };
    expect(await said(405, await client.send('PUT', {}))).toBe('Method not allowed.');
    expect(await said(400, await client.post({}))).toBe('Parse error: Invalid JSON-RPC message');
    const json = { 'content-type': 'application/json', accept: '*/*' };
    expect(await said(400, await client.send('POST', json, '{'))).toBe('Parse error: Invalid JSON');
    expect(await said(406, await client.get({ accept: 'text/plain' }))).toBe(
      'Not Acceptable: Client must accept text/event-stream',
    );
    expect(await said(406, await client.post({}, { accept: 'text/plain' }))).toBe(
      'Not Acceptable: Client must accept application/json or text/event-stream',
    );
    expect(
      await said(400, await client.callTool('x', {}).then(() => client.get({ 'mcp-protocol-version': '2099-01-01' }))),
    ).toMatch(/^Bad Request: Unsupported protocol version: 2099-01-01 \(supported versions: 2025-11-25, /);
  });
});
