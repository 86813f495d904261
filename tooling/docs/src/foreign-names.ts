/** Names of other software that the documents mention as code. Everything else that looks like code must be ours. */
export const foreignNames: readonly string[] = [
  'EventStore',
  'JAVA_HOME',
  'McpServer',
  'NodeStreamableHTTPServerTransport',
  'SQLITE_BUSY',
  'SQLITE_CORRUPT',
  'SQLITE_FULL',
  'SQLITE_NOTADB',
  'StreamableHTTPServerTransport',
  'allowImportingTsExtensions',
  'noEmit',
];
