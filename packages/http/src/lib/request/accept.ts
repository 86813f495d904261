import { HttpError } from '../protocol/http-errors.ts';

/**
 * How a POST is answered: by one JSON body with all responses, or by a stream of events, which can
 * be resumed and also carries what comes before the responses.
 */
export type AnswerForm = 'json' | 'sse';

const JSON_TYPE = 'application/json';
const SSE_TYPE = 'text/event-stream';

/** Everything, with the weight 1. */
const ANYTHING = new Map([['*/*', 1]]);

/**
 * The form in which a client gets the answer to a POST. A stream needs a client that lists it: many
 * clients send no Accept, or a wildcard for everything, and read JSON only.
 *
 * The specification has clients list both types (MCP 2025-11-25, basic/transports, Sending Messages
 * to the Server, 2). Such a client gets a stream. Weights are not compared, but 0 refuses.
 *
 * @param preferJson Whether each client that can read JSON gets JSON.
 * @throws HttpError 406 if the client can read neither.
 */
export function answerFormFor(request: Request, preferJson: boolean): AnswerForm {
  const ranges = rangesOf(request);
  const readsJson = weightIn(ranges, JSON_TYPE) > 0;
  const readsStream = weightIn(ranges, SSE_TYPE) > 0;
  if (readsStream && (!readsJson || (!preferJson && listsStream(ranges)))) return 'sse';
  if (readsJson) return 'json';
  throw new HttpError(406, `Not Acceptable: Client must accept ${JSON_TYPE} or ${SSE_TYPE}`);
}

/** @throws HttpError 406 if the client cannot read a stream. */
export function checkReadsStream(request: Request): void {
  if (weightIn(rangesOf(request), SSE_TYPE) > 0) return;
  throw new HttpError(406, `Not Acceptable: Client must accept ${SSE_TYPE}`);
}

function listsStream(ranges: ReadonlyMap<string, number>): boolean {
  return ranges.has(SSE_TYPE) || ranges.has('text/*');
}

/**
 * The weight of each media range. A request without the header accepts everything (RFC 9110,
 * section 12.5.1), and so does an empty one.
 */
function rangesOf({ headers }: Request): ReadonlyMap<string, number> {
  const accept = headers.get('accept')?.trim() ?? '';
  return accept === '' ? ANYTHING : new Map(accept.split(',').map(mediaRange));
}

/**
 * The most specific range counts, and a weight of 0 refuses (RFC 9110, sections 12.4.2, 12.5.1).
 */
function weightIn(ranges: ReadonlyMap<string, number>, type: string): number {
  return ranges.get(type) ?? ranges.get(`${type.split('/', 1)[0] ?? ''}/*`) ?? ranges.get('*/*') ?? 0;
}

function mediaRange(text: string): [string, number] {
  const [name = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase());
  const weight = parameters.map((parameter) => /^q\s*=\s*([\d.]+)$/.exec(parameter)?.[1]).find((q) => q !== undefined);
  return [name, weight === undefined ? 1 : Number(weight) || 0];
}
