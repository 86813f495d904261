export function duration(ms: number): string {
  if (ms < 0.001) return `${(ms * 1_000_000).toFixed(0)} ns`;
  if (ms < 1) return `${digits(ms * 1_000)} µs`;
  return ms < 1_000 ? `${digits(ms)} ms` : `${digits(ms / 1_000)} s`;
}

export function ratio(value: number): string {
  return `${value.toFixed(2)} ×`;
}

/** A target and whether a ratio reaches it. */
export function verdict(value: number, target: number | undefined): string {
  if (target === undefined) return '';
  return `${target} ×${value >= target ? '' : ', **missed**'}`;
}

function digits(value: number): string {
  return value < 10 ? value.toFixed(2) : value.toFixed(value < 100 ? 1 : 0);
}
