export { createStudio, type Studio, type StudioConnection } from './lib/studio.ts';
export type { StudioAction, StudioOptions } from './lib/options.ts';
