export { BrokenPromiseError } from './lib/case.ts';
export { crashWriters, type CrashOptions, type CrashReport } from './lib/crash.ts';
export { describeBackend } from './lib/describe.ts';
export { requirements, type RequirementId } from './lib/requirements.ts';
export type { OpenStorage, SecondProcess, SecondProcessModule, StoredRow, TestStorage } from './lib/storage.ts';
