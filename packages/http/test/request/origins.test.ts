import { describe, expect, it } from 'vitest';
import { start } from '../support/harness.ts';
import { lines } from '../support/lines.ts';
import { initialize } from '../support/raw.ts';
import { JSON_HEADERS, statusesOn } from '../support/statuses.ts';

const APP = 'https://app.example';

describe.each(lines)('words for origins, and hosted connectors, SDK $name', (line) => {
  const statuses = statusesOn(line);

  it("words instead of a list: 'any' and 'same-host'", async () => {
    const pages = (port: string) => [
      { origin: `http://127.0.0.1:${port}` },
      { origin: 'https://claude.ai' },
      { origin: 'https://claude.ai', authorization: 'Bearer https://issuer|ada' },
      { 'sec-fetch-site': 'cross-site' },
    ];
    expect(await statuses({ allowedOrigins: 'any' }, pages)).toEqual([200, 200, 200, 200]);
    expect(await statuses({ allowedOrigins: 'same-host' }, pages)).toEqual([200, 403, 403, 403]);
    const { url } = await start(line, { allowedOrigins: 'any' });
    const headers = { origin: APP, 'access-control-request-method': 'POST' };
    const preflight = await fetch(url, { method: 'OPTIONS', headers });
    expect([preflight.status, preflight.headers.get('access-control-allow-origin')]).toEqual([204, APP]);
  });

  it('by default, a hosted connector gets in with its token, whatever its origin; a page without one does not', async () => {
    const claude = { origin: 'https://claude.ai' };
    const token = { authorization: 'Bearer https://issuer|ada' };
    const seen = await statuses({}, () => [
      { ...claude, ...token },
      { ...claude, ...token, 'sec-fetch-site': 'cross-site' },
      { ...claude },
      { ...claude, ...token, host: 'evil.example' },
    ]);
    expect(seen).toEqual([200, 200, 403, 403]);
    expect(await statuses({ allowedOrigins: [APP] }, () => [{ ...claude, ...token }])).toEqual([403]);
    // Credentials that a browser adds by itself are not enough, even if they were verified.
    const { handler } = await start(line);
    const statusOf = async (authorization: string | undefined): Promise<number> => {
      const headers = new Headers({ ...JSON_HEADERS, ...claude });
      if (authorization !== undefined) headers.set('authorization', authorization);
      const body = JSON.stringify(initialize());
      const authInfo = { token: 'x', clientId: 'app', scopes: [], extra: { iss: 'i', sub: 's' } };
      const request = new Request('https://mcp.example/mcp', { method: 'POST', headers, body });
      return (await handler.fetch(request, { authInfo })).status;
    };
    expect(await Promise.all([undefined, 'Basic eDp5', 'bearer x'].map(statusOf))).toEqual([403, 403, 200]);
  });

  it('a token that was not verified, which some code says with null, lets no page in', async () => {
    const { handler } = await start(line, { principal: () => 'everybody' });
    const statusOf = async (authInfo: object | null): Promise<number> => {
      const headers = { ...JSON_HEADERS, origin: 'https://evil.example', authorization: 'Bearer x' };
      const body = JSON.stringify(initialize());
      const request = new Request('https://mcp.example/mcp', { method: 'POST', headers, body });
      return (await handler.fetch(request, { authInfo } as never)).status;
    };
    expect([await statusOf(null), await statusOf({ token: 'x', clientId: 'app', scopes: [] })]).toEqual([403, 200]);
  });
});
