import { answerOf } from './request.ts';

/**
 * Sends what a hostile client may send.
 *
 * @param secrets What no answer may have.
 * @returns How often each code was answered; 0 for results.
 * @throws Error for an answer that has a secret, or is an internal error.
 */
export async function attack(
  tries: number,
  make: () => Request,
  send: (request: Request) => Promise<Response>,
  secrets: readonly string[],
): Promise<Record<string, number>> {
  const codes: Record<string, number> = {};
  for (let turn = 0; turn < tries; turn++) {
    const request = make();
    const sent = await request.clone().text();
    const response = await send(request);
    const { result, error } = await answerOf(response);
    const { code, message } = (error ?? { code: 0, message: '' }) as {
      readonly code: number;
      readonly message: string;
    };
    codes[code] = (codes[code] ?? 0) + 1;
    const shown = JSON.stringify(result ?? message);
    const learns = secrets.some((secret) => shown.includes(secret));
    if (response.status >= 500 || code === -32_603 || learns) throw new Error(`${sent.slice(0, 500)} got ${shown}`);
  }
  return codes;
}
