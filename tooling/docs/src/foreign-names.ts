/**
 * Names of other software that the documents mention as code and our sources do not. Everything
 * else that looks like code must be ours.
 */
export const foreignNames: readonly string[] = [
  'BatchGetItem',
  'DeletionProtection',
  'KmsKeyArn',
  'RESPONSE_STREAM',
  'ReplicationLatency',
  'TaskMessageQueue',
  'WriteThrottleEvents',
  'allowImportingTsExtensions',
  'createMessage',
  'ctx.mcpReq.elicitInput',
  'ctx.mcpReq.requestState()',
  'elicitInput',
  'listRoots',
  'reply.hijack()',
  'requestSampling',
  'requestState',
  'requireBearerAuth',
  'z.coerce.date()',
];
