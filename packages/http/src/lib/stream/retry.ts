/** When clients reconnect, see the options of the same names. */
export interface RetryOptions {
  readonly retryIntervalMs: number;
  readonly restartRetryMs: number;
}

/**
 * When to reconnect after the server closed a connection.
 *
 * - `soon`: the server goes on, and the client polls.
 * - `restart`: this process stops.
 * - `never`: the session has ended.
 */
export type ComeBack = 'soon' | 'restart' | 'never';

/** How far a delay is spread to both sides, as a part of the delay. */
const SPREAD = 0.25;

/** A frame that tells the client when to reconnect. */
function retryFrame(ms: number): string {
  return `retry: ${ms}\n\n`;
}

/**
 * The same for an end that nobody announces. The SDK clients try twice, at this interval. Each
 * connection gets another delay, so that the clients of a server that restarts do not all come at
 * the same moment.
 */
export function restartFrame({ restartRetryMs }: Pick<RetryOptions, 'restartRetryMs'>): string {
  return retryFrame(Math.round(restartRetryMs * (1 - SPREAD + 2 * SPREAD * Math.random())));
}

/** The last frame of a connection that the server closes. */
export function lastFrame(comeBack: ComeBack, options: RetryOptions): string {
  if (comeBack === 'never') return '';
  return comeBack === 'soon' ? retryFrame(options.retryIntervalMs) : restartFrame(options);
}
