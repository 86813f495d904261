import { kindOf } from '@mcp-session/core/backend';
import type { AuthFacts } from '../session/sdk-adapter.ts';

/** Returns the principal of a request; `null` or `undefined` for an anonymous one. */
export type PrincipalOf<AuthInfo> = (
  authInfo: AuthInfo | undefined,
  request: Request,
) => string | null | undefined | Promise<string | null | undefined>;

/**
 * The principal that handlers use by default: the issuer and subject of the token, from
 * `authInfo.extra`, in one text. They are `iss` and `sub` as in RFC 7519, or `issuer` and
 * `subject`. In the issuer, `%` and `|` are written as `%25` and `%7C`.
 *
 * Use it where other code must name the same owner, such as a script that reads a user's record.
 * The text is stable: a release that changes it is a major release.
 *
 * It is not the client id, which all users of one application share, and not the token, which
 * changes when it is refreshed.
 *
 * @returns A text such as `https://id.example|alice`; `undefined` if one of the two is missing or
 * empty.
 */
export function defaultPrincipal(authInfo: AuthFacts | undefined): string | undefined {
  const issuer = text(authInfo?.extra?.['iss'] ?? authInfo?.extra?.['issuer']);
  const subject = text(authInfo?.extra?.['sub'] ?? authInfo?.extra?.['subject']);
  if (issuer === undefined || subject === undefined) return undefined;
  // The first bar ends the issuer, so that two different pairs never make the same principal.
  return `${issuer.replaceAll('%', '%25').replaceAll('|', '%7C')}|${subject}`;
}

/**
 * Returns the principal of a request; `null` for an anonymous one. Only `null` and `undefined` mean
 * anonymous: a number, an empty string or an object is a mistake, and anyone who has its id can use
 * an anonymous session.
 *
 * @throws TypeError if the principal is no string, or if an authenticated request has none. The
 * store checks the string.
 */
export async function principalOf<AuthInfo extends AuthFacts>(
  authInfo: AuthInfo | undefined,
  request: Request,
  tell: PrincipalOf<AuthInfo> | undefined,
): Promise<string | null> {
  const principal: unknown = tell === undefined ? defaultPrincipal(authInfo) : await tell(authInfo, request);
  if (principal === null || principal === undefined) {
    if (authInfo === undefined) return null;
    throw new TypeError(whyUnknown(authInfo));
  }
  if (typeof principal === 'string' && principal !== '') return principal;
  const given = principal === '' ? 'an empty string' : kindOf(principal);
  throw new TypeError(
    `Option principal returned ${given}; return a string, such as String(user.id), or null for nobody`,
  );
}

const UNTOLD =
  'Principal of an authenticated request is unknown: let the token verifier put iss and sub into authInfo.extra, or set the principal option of createSessionHandler';

function whyUnknown(authInfo: unknown): string {
  if (authInfo === null) return 'The authInfo of a request is null; leave it out for an anonymous request';
  return kindOf(authInfo) === 'a promise' ? 'The authInfo of a request is a promise: await it first' : UNTOLD;
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
