export { toNodeListener, type NodeListener } from './lib/node-listener.ts';
