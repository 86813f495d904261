export type { FetchHandler } from './lib/adapters/fetch-handler.ts';
export { toNodeHandler, type NodeHandler, type NodeHandlerOptions, type NodeRequest } from './lib/adapters/node.ts';
