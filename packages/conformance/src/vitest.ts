export { describeBackend } from './lib/describe.ts';
