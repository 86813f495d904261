export type { HandleKind, HandleList, StateHandle } from './lib/api/handle-kind.ts';
export { defineHandle } from './lib/handles/define-handle.ts';
export { handleErrorResult, type ToolErrorResult } from './lib/handles/handle-errors.ts';
export type { HandleOptions } from './lib/handles/options.ts';
