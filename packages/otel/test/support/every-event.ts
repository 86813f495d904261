import type { Telemetry } from '../../src/index.ts';

const operation = {
  method: 'tools/call',
  name: 'echo',
  requestId: '1',
  session: 'a…',
  protocolVersion: '2025-11-25',
  meta: undefined,
} as const;
const session = { session: 'a…', protocolVersion: '2025-11-25' } as const;
const result = { ...session, code: -32_000, error: '-32000', hasAnswer: true, durationMs: 1_500 } as const;

/** Records each metric once. */
export function recordEveryMetric({ observeHandler: observe, observeStore }: Telemetry): void {
  observe({ type: 'operation-ended', operation, ...result });
  observe({ type: 'session-began', ...session });
  observe({ type: 'session-restored', ...session, durationMs: 1 });
  observe({ type: 'session-ended', ...session, cause: 'deleted', ageMs: 5_000 });
  observe({ type: 'session-held', session: 'a…' });
  observe({ type: 'stream-opened', session: 'a…', stream: 'standalone', resumedBehind: 3 });
  observe({ type: 'delivered', session: 'a…', stream: 'standalone', lagMs: 1 });
  observe({
    type: 'refused',
    method: 'POST',
    status: 404,
    reason: 'session-not-found',
    code: undefined,
    session: undefined,
  });
  observe({ type: 'lease-taken-over', session: 'a…', node: 'b' });
  observe({ type: 'store-status', failing: true });
  const call = { backend: 'sqlite', durationMs: 1, outcome: 'error', code: 'STORE_BUSY' } as const;
  observeStore({ ...call, name: 'appendEvents', size: 2 });
  observeStore({ ...call, name: 'sweep', size: 3 });
}
