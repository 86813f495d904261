export { runCase } from './lib/case-runner.ts';
export { BrokenPromiseError, type Case } from './lib/case.ts';
export { cases } from './lib/cases.ts';
export { crashWriters, type CrashOptions, type CrashReport } from './lib/crash.ts';
export { requirements, type RequirementId } from './lib/requirements.ts';
export type { OpenStorage, SecondProcess, SecondProcessModule, StoredRow, TestStorage } from './lib/storage.ts';
