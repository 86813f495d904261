// One invocation in a fresh process, as the first one of an execution environment. Started by
// invoke.ts.
import { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';

const [module = '', name = ''] = process.argv.slice(2);
const { event, remainingMs, freeze } = JSON.parse(await text(process.stdin)) as {
  event: unknown;
  remainingMs: number;
  freeze: boolean;
};

type Handler = (event: unknown, ...rest: readonly unknown[]) => unknown;

/**
 * As the runtime has it: what is said of the response goes out before the first write, in JSON,
 * with eight zero bytes behind it.
 */
class ResponseStream extends Writable {
  prelude: string | undefined;

  // The runtime intercepts the call, so that an empty write counts as the first one.
  override write(chunk: unknown, ...rest: unknown[]): boolean {
    const { prelude } = this;
    this.prelude = undefined;
    if (prelude !== undefined) {
      process.stdout.write(prelude);
      process.stdout.write(new Uint8Array(8));
    }
    return (super.write as (...args: unknown[]) => boolean).call(this, chunk, ...rest);
  }

  override _write(chunk: Uint8Array, _encoding: string, done: (error?: Error | null) => void): void {
    process.stdout.write(chunk, done);
  }
}

Object.assign(globalThis, {
  awslambda: {
    streamifyResponse: (handler: unknown) => handler,
    HttpResponseStream: {
      from(stream: ResponseStream, metadata: object) {
        stream.prelude = JSON.stringify(metadata);
        return stream;
      },
    },
  },
});

const { [name]: handler } = (await import(`../../src/${module}.ts`)) as Record<string, Handler>;
const startedAt = performance.now();
const context = { getRemainingTimeInMillis: () => remainingMs - (performance.now() - startedAt) };
const streams = module === 'streaming';
const result = await (streams ? handler?.(event, new ResponseStream(), context) : handler?.(event, context));
if (!streams) process.stdout.write(JSON.stringify(result ?? null));
process.stderr.write(`took ${performance.now() - startedAt} ms`);
// What runs on is frozen with its environment, which is not used again.
if (freeze) process.exit();
