export { traceMeta } from './lib/context.ts';
export { METRIC_NAMES } from './lib/metrics.ts';
export type { TelemetryOptions } from './lib/options.ts';
export { createTelemetry, type Telemetry } from './lib/telemetry.ts';
