/** What is used of an event of an HTTP API (payload 2.0) or of a function URL, which has the same form. */
export interface HttpEvent {
  readonly version: '2.0';
  readonly rawPath: string;
  readonly rawQueryString: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly requestContext: { readonly domainName: string; readonly http: { readonly method: string } };
  readonly body?: string | undefined;
  readonly isBase64Encoded: boolean;
}

/** What is used of an event of a REST API, or of an HTTP API with payload 1.0. */
export interface RestEvent {
  readonly httpMethod: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | undefined>> | null;
  readonly multiValueHeaders?: Readonly<Record<string, readonly string[] | undefined>> | null;
  readonly multiValueQueryStringParameters?: Readonly<Record<string, readonly string[] | undefined>> | null;
  readonly requestContext: { readonly domainName?: string };
  readonly body: string | null;
  readonly isBase64Encoded: boolean;
}

/** What API Gateway and function URLs make a response of. All of them take this form. */
export interface GatewayResult {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly isBase64Encoded: boolean;
}

/** Makes a web-standard request of an event. */
export function toRequest(event: HttpEvent | RestEvent, signal: AbortSignal): Request {
  const rest = 'httpMethod' in event;
  const method = rest ? event.httpMethod : event.requestContext.http.method;
  const path = rest ? event.path : event.rawPath;
  const query = rest ? queryOf(event) : event.rawQueryString;
  const host = event.requestContext.domainName ?? 'localhost';
  const body = event.body ?? undefined;
  return new Request(`https://${host}${path}${query === '' ? '' : `?${query}`}`, {
    method,
    headers: headersOf(event),
    signal,
    ...(body !== undefined &&
      method !== 'GET' &&
      method !== 'HEAD' && { body: event.isBase64Encoded ? Buffer.from(body, 'base64') : body }),
  });
}

/** Waits for the whole response, as API Gateway does. */
export async function toResult(response: Response): Promise<GatewayResult> {
  return {
    statusCode: response.status,
    headers: Object.fromEntries(response.headers),
    body: await response.text(),
    isBase64Encoded: false,
  };
}

function headersOf(event: HttpEvent | RestEvent): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(event.headers ?? {})) if (value !== undefined) headers.set(name, value);
  if ('multiValueHeaders' in event)
    for (const [name, values] of Object.entries(event.multiValueHeaders ?? {}))
      if (values !== undefined) headers.set(name, values.join(', '));
  return headers;
}

function queryOf({ multiValueQueryStringParameters: parameters }: RestEvent): string {
  const query = new URLSearchParams();
  for (const [name, values = []] of Object.entries(parameters ?? {}))
    for (const value of values) query.append(name, value);
  return query.toString();
}
