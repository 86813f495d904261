import { HttpError } from './http-errors.ts';
import { INTERNAL_ERROR } from './json-rpc.ts';

/** What both SDK lines tell of a verified access token, as far as it is needed to tell whose it is. */
export interface AuthFacts {
  /** When the token expires, in Unix seconds: streams end then. `undefined`: never. */
  readonly expiresAt?: number | undefined;
  readonly extra?: Readonly<Record<string, unknown>> | undefined;
}

/** Tells whose a request is. `null` or `undefined`: nobody's. */
export type PrincipalOf<AuthInfo> = (
  authInfo: AuthInfo | undefined,
  request: Request,
) => string | null | undefined | Promise<string | null | undefined>;

/**
 * The issuer and subject of the token, from `authInfo.extra` (`iss` and `sub`, as in RFC 7519, or `issuer` and `subject`).
 *
 * Never the client id, which all users of one application share, and never the token, which changes when it is refreshed.
 */
export function defaultPrincipal(authInfo: AuthFacts | undefined): string | undefined {
  const issuer = text(authInfo?.extra?.['iss'] ?? authInfo?.extra?.['issuer']);
  const subject = text(authInfo?.extra?.['sub'] ?? authInfo?.extra?.['subject']);
  if (issuer === undefined || subject === undefined) return undefined;
  // The first bar ends the issuer, so that no two pairs make one principal.
  return `${issuer.replaceAll('%', '%25').replaceAll('|', '%7C')}|${subject}`;
}

/**
 * Whose a request is; `null` where it carries no verified identity.
 *
 * @throws HttpError 500 where the request is authenticated and nobody can tell who it is: it must not pass as anonymous.
 */
export async function principalOf<AuthInfo extends AuthFacts>(
  authInfo: AuthInfo | undefined,
  request: Request,
  tell: PrincipalOf<AuthInfo> | undefined,
): Promise<string | null> {
  const principal = tell === undefined ? defaultPrincipal(authInfo) : await tell(authInfo, request);
  if (typeof principal === 'string' && principal !== '') return principal;
  if (authInfo === undefined) return null;
  throw new HttpError(500, UNTOLD, INTERNAL_ERROR);
}

const UNTOLD =
  'Principal of an authenticated request is unknown: let the token verifier put iss and sub into authInfo.extra, or set the principal option of createSessionHandler';

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
