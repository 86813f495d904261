export { createV1Tasks, type V1TaskServer, type V1Tasks, type V1TasksOptions } from './lib/serve-v1.ts';
