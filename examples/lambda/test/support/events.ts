import type { LambdaHttpEvent, LambdaRestEvent } from '@mcp-session/http/lambda';

/** What a client sends. */
export interface Sent {
  readonly method: 'POST' | 'GET' | 'DELETE';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

const accept = { accept: 'application/json, text/event-stream', 'content-type': 'application/json' };

/**
 * An event of an HTTP API, as
 * docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
 * has it.
 */
export function httpApiEvent({ method, headers, body }: Sent): LambdaHttpEvent {
  const event = {
    version: '2.0',
    routeKey: '$default',
    rawPath: '/mcp',
    rawQueryString: '',
    headers: { ...accept, host: 'id.execute-api.us-east-1.amazonaws.com', 'x-forwarded-proto': 'https', ...headers },
    requestContext: {
      accountId: '123456789012',
      apiId: 'id',
      domainName: 'id.execute-api.us-east-1.amazonaws.com',
      domainPrefix: 'id',
      http: { method, path: '/mcp', protocol: 'HTTP/1.1', sourceIp: '192.0.2.1', userAgent: 'agent' },
      requestId: 'request',
      routeKey: '$default',
      stage: '$default',
      time: '12/Mar/2020:19:03:58 +0000',
      timeEpoch: 1_583_348_638_390,
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    isBase64Encoded: false,
  } as const;
  return event;
}

/**
 * An event of a function URL: docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html. Its bodies
 * can be in base64.
 */
export function functionUrlEvent(sent: Sent): LambdaHttpEvent {
  const event = httpApiEvent(sent);
  const domainName = 'id.lambda-url.us-east-1.on.aws';
  const body = event.body === undefined ? undefined : Buffer.from(event.body).toString('base64');
  return {
    ...event,
    headers: { ...event.headers, host: domainName },
    requestContext: { ...event.requestContext, domainName },
    body,
    isBase64Encoded: body !== undefined,
  };
}

/**
 * An event of a REST API:
 * docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html.
 */
export function restApiEvent({ method, headers, body }: Sent): LambdaRestEvent {
  const all = { ...accept, Host: 'id.execute-api.us-east-1.amazonaws.com', ...headers };
  const event = {
    resource: '/mcp',
    path: '/mcp',
    httpMethod: method,
    headers: all,
    multiValueHeaders: Object.fromEntries(Object.entries(all).map(([name, value]) => [name, [value]])),
    queryStringParameters: { a: '1' },
    multiValueQueryStringParameters: { a: ['1'] },
    pathParameters: null,
    stageVariables: null,
    requestContext: {
      accountId: '123456789012',
      apiId: 'id',
      domainName: 'id.execute-api.us-east-1.amazonaws.com',
      httpMethod: method,
      path: '/prod/mcp',
      protocol: 'HTTP/1.1',
      requestId: 'request',
      resourcePath: '/mcp',
      stage: 'prod',
    },
    body: body === undefined ? null : JSON.stringify(body),
    isBase64Encoded: false,
  };
  return event;
}
