/** By when the stream of a request has to end, by `performance.now()`. */
const deadlines = new WeakMap<Request, number>();

/** Notes how long the stream of a request may stay open from now on, in milliseconds. */
export function noteLifetime(request: Request, ms: number): void {
  deadlines.set(request, performance.now() + ms);
}

/** How long it may still stay open, in milliseconds; `undefined`: nothing is noted. */
export function lifetimeOf(request: Request): number | undefined {
  const deadline = deadlines.get(request);
  return deadline === undefined ? undefined : Math.max(0, deadline - performance.now());
}
