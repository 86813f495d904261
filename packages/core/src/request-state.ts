export type { RequestStateContext, RequestStateKey, RequestStateOptions } from './lib/request-state/options.ts';
export { createRequestState, type BoundRequestState, type RequestState } from './lib/request-state/request-state.ts';
