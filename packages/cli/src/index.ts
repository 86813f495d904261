export { runCli } from './lib/run.ts';
export type { CliOutput, CliSurroundings } from './lib/surroundings.ts';
