export type { FetchHandler } from './lib/adapters/fetch-handler.ts';
export { toNodeHandler, type NodeHandler, type NodeHandlerOptions, type NodeRequest } from './lib/adapters/node.ts';
export type { RefusalReason } from './lib/protocol/refusal-reason.ts';
export type {
  HandlerEvent,
  HandlerObserver,
  ObservedOperation,
  OperationResult,
  OperationRunner,
  StreamKind,
} from './lib/reports/events.ts';
