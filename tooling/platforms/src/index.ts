export { clients, type Client } from './tables/clients.ts';
export { platforms, type BackendName, type Platform } from './tables/platforms.ts';
export {
  recorded,
  type RecordedClient,
  type RecordedPlatform,
  recordedPlatforms,
  type RecordedStep,
} from './tables/recorded.ts';
export { shapes, type Exchange, type Shape } from './tables/shapes.ts';
