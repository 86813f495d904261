import { onTestFinished } from 'vitest';
import { Relay } from '../../src/runtimes/relay.ts';
import type { Running, StartRuntime } from '../../src/runtimes/run.ts';
import type { Place } from '../../src/runtimes/store.ts';

/** A server behind a stable address. */
export interface Deployment {
  readonly url: string;
  /** Kills the server. Another process serves the address from then on. */
  replace(): Promise<void>;
}

/** Starts a server, and the one that replaces it. Both end with the test. */
export async function deploy(start: StartRuntime, place: Place, onLine?: (line: string) => void): Promise<Deployment> {
  const startOne = async (): Promise<Running> => {
    const server = await start(place, onLine);
    onTestFinished(() => server.kill());
    return server;
  };
  const [first, second] = await Promise.all([startOne(), startOne()]);
  const relay = await Relay.start(first.url);
  onTestFinished(() => relay.close());
  return {
    url: relay.url,
    replace: async () => {
      relay.moveTo(second.url);
      await first.kill();
    },
  };
}
