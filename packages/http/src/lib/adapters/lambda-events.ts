/**
 * An event of a function URL, or of API Gateway's HTTP API (payload format 2.0): the parts that are
 * read.
 */
export interface LambdaHttpEvent {
  readonly version: string;
  readonly rawPath: string;
  readonly rawQueryString?: string | undefined;
  /** Names in lower case; several values of one header are joined by commas. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly cookies?: readonly string[] | undefined;
  readonly body?: string | undefined;
  readonly isBase64Encoded?: boolean | undefined;
  readonly requestContext: {
    readonly domainName?: string | undefined;
    readonly http: { readonly method: string };
  };
}

/**
 * An event of API Gateway's REST API, or of its HTTP API with payload format 1.0: the parts that
 * are read.
 */
export interface LambdaRestEvent {
  readonly httpMethod: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | undefined>> | null;
  readonly multiValueHeaders?: Readonly<Record<string, readonly string[] | undefined>> | null;
  readonly multiValueQueryStringParameters?: Readonly<Record<string, readonly string[] | undefined>> | null;
  readonly body: string | null;
  readonly isBase64Encoded?: boolean | undefined;
  readonly requestContext: { readonly domainName?: string | undefined };
}

/** An event that invokes a function for an HTTP request. */
export type LambdaEvent = LambdaHttpEvent | LambdaRestEvent;

/**
 * Makes a web-standard request of an event.
 *
 * @throws TypeError if the URL or the method is not valid.
 */
export function toWebRequest(event: LambdaEvent): Request {
  const method = 'httpMethod' in event ? event.httpMethod : event.requestContext.http.method;
  const headers = headersOf(event);
  const host = headers.get('host') ?? event.requestContext.domainName ?? 'localhost';
  const { body, isBase64Encoded = false } = event;
  const hasBody = body !== undefined && body !== null && method !== 'GET' && method !== 'HEAD';
  return new Request(new URL(`https://${host}${pathOf(event)}`), {
    method,
    headers,
    ...(hasBody && { body: isBase64Encoded ? Buffer.from(body, 'base64') : body }),
  });
}

function pathOf(event: LambdaEvent): string {
  if (!('httpMethod' in event)) {
    const { rawPath, rawQueryString = '' } = event;
    return rawQueryString === '' ? rawPath : `${rawPath}?${rawQueryString}`;
  }
  const query = new URLSearchParams();
  for (const [name, values = []] of Object.entries(event.multiValueQueryStringParameters ?? {})) {
    for (const value of values) query.append(name, value);
  }
  return query.size === 0 ? event.path : `${event.path}?${query.toString()}`;
}

function headersOf(event: LambdaEvent): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(event.headers ?? {})) if (value !== undefined) headers.set(name, value);
  if ('multiValueHeaders' in event) {
    // `headers` has the same names, each with its last value only.
    for (const [name, values = []] of Object.entries(event.multiValueHeaders ?? {})) {
      headers.delete(name);
      for (const value of values) headers.append(name, value);
    }
  }
  if ('cookies' in event && event.cookies !== undefined) headers.set('cookie', event.cookies.join('; '));
  return headers;
}
