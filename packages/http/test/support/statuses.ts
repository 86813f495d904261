import { request as sendRequest } from 'node:http';
import { start } from './harness.ts';
import type { Line, TestOptions } from './line.ts';
import { initialize } from './raw.ts';

export const JSON_HEADERS = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };

/** Begins a session with headers that `fetch` does not let one set. @returns The status. */
function begin(url: URL, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = sendRequest(url, { method: 'POST', headers: { ...JSON_HEADERS, ...headers } }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    request.on('error', reject).end(JSON.stringify(initialize()));
  });
}

/** What servers with some options answer to each `initialize`, by the headers that it has. */
export function statusesOn(line: Line) {
  return async (
    options: Partial<TestOptions>,
    requests: (port: string) => readonly Record<string, string>[],
  ): Promise<number[]> => {
    const { url } = await start(line, options);
    return Promise.all(requests(url.port).map((headers) => begin(url, headers)));
  };
}
