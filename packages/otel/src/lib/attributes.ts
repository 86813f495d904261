/**
 * Names of attributes. Those of MCP, of GenAI and of JSON-RPC are of the OpenTelemetry semantic
 * conventions for GenAI (docs/gen-ai/mcp.md), which are in development. The others are of the
 * semantic conventions 1.45.
 */
export const ATTRIBUTES = {
  method: 'mcp.method.name',
  session: 'mcp.session.id',
  protocolVersion: 'mcp.protocol.version',
  tool: 'gen_ai.tool.name',
  prompt: 'gen_ai.prompt.name',
  genAiOperation: 'gen_ai.operation.name',
  requestId: 'jsonrpc.request.id',
  statusCode: 'rpc.response.status_code',
  errorType: 'error.type',
  protocol: 'network.protocol.name',
  transport: 'network.transport',
  httpMethod: 'http.request.method',
  httpStatus: 'http.response.status_code',
  database: 'db.system.name',
  databaseOperation: 'db.operation.name',
  /** Why a request was refused: one of `RefusalReason`. */
  refusal: 'mcp_session.refusal.reason',
  /** Which stream: `request` or `standalone`. */
  stream: 'mcp_session.stream.kind',
  /** How a session ended: `deleted` or `gone`. */
  end: 'mcp_session.end.cause',
} as const;

/** What is the same for every session over Streamable HTTP. */
export const OVER_HTTP: Readonly<Record<string, string>> = {
  [ATTRIBUTES.protocol]: 'http',
  [ATTRIBUTES.transport]: 'tcp',
};
