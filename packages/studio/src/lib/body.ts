import { StudioError } from './answers.ts';

/** Longest body of a request, in bytes. */
export const MAX_BODY_BYTES = 16_384;

/**
 * Reads the arguments of an operation. They are in the body and not in the URL, because the ids of
 * sessions and the names of users must not get into logs and histories.
 *
 * @throws StudioError 400, 413, 415
 */
export async function readArguments(request: Request): Promise<Arguments> {
  const type = request.headers.get('content-type') ?? '';
  // A form of another page cannot send this type without the browser asking first (Fetch standard,
  // CORS-preflight).
  if (!/^application\/json *(?:;|$)/i.test(type)) {
    throw new StudioError(415, 'UNSUPPORTED_TYPE', 'Content-Type is not application/json');
  }
  const text = await readText(request);
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return new Arguments(value);
  } catch {
    // Refused below.
  }
  throw new StudioError(400, 'INVALID_BODY', 'Body is not a JSON object');
}

async function readText({ body }: Request): Promise<string> {
  if (body === null) return '';
  const decoder = new TextDecoder();
  let text = '';
  let bytes = 0;
  const reader = (body as ReadableStream<Uint8Array>).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return text + decoder.decode();
      bytes += value.byteLength;
      if (bytes > MAX_BODY_BYTES) {
        throw new StudioError(413, 'BODY_TOO_LARGE', `Body exceeds ${MAX_BODY_BYTES} bytes`);
      }
      text += decoder.decode(value, { stream: true });
    }
  } catch (error) {
    await reader.cancel().catch(() => undefined);
    if (error instanceof StudioError) throw error;
    throw new StudioError(400, 'INVALID_BODY', 'Body cannot be read');
  }
}

/** The arguments of an operation, each checked when it is read. */
export class Arguments {
  readonly #values: ReadonlyMap<string, unknown>;

  constructor(values: object) {
    this.#values = new Map(Object.entries(values));
  }

  /** @throws StudioError 400 */
  text(name: string): string {
    const value = this.optionalText(name);
    if (value === undefined) throw invalid(name, 'a string');
    return value;
  }

  /** @throws StudioError 400 */
  optionalText(name: string): string | undefined {
    const value = this.#values.get(name) ?? undefined;
    if (value === undefined || typeof value === 'string') return value;
    throw invalid(name, 'a string');
  }

  /** `null` stands for nobody; `undefined`: not given. @throws StudioError 400 */
  principal(): string | null | undefined {
    const value = this.#values.get('principal');
    if (value === undefined || value === null || typeof value === 'string') return value;
    throw invalid('principal', 'a string or null');
  }

  /** @throws StudioError 400 */
  whole(name: string, fallback: number, min: number, max: number): number {
    const value = this.#values.get(name) ?? fallback;
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max) return value;
    throw invalid(name, `a whole number from ${min} to ${max}`);
  }
}

function invalid(name: string, wanted: string): StudioError {
  return new StudioError(400, 'INVALID_ARGUMENT', `Argument ${name} is not ${wanted}`);
}
