export type { FetchHandler } from './lib/adapters/fetch-handler.ts';
export type { LambdaEvent, LambdaHttpEvent, LambdaRestEvent } from './lib/adapters/lambda-events.ts';
export {
  toLambdaHandler,
  toLambdaStreamHandler,
  type LambdaContext,
  type LambdaHandlerOptions,
  type LambdaResult,
  type LambdaStreamHandler,
} from './lib/adapters/lambda.ts';
