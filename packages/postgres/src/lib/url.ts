// All messages about an address are written here. Errors of `URL` quote their whole input. No
// message of ours quotes any part, because a mistyped password can end up in every part.

/**
 * Checks the URL of a database.
 *
 * A special character in a password that is not percent-encoded ends the password, and its rest
 * becomes the host, the path or the fragment. URLs that can only result from that are refused.
 *
 * @param whose Names the option or the variable.
 * @throws TypeError
 */
export function checkUrl(whose: string, url: unknown): string {
  if (typeof url !== 'string' || !/^postgres(ql)?:\/\//.test(url)) {
    throw new TypeError(`${whose} is not a URL that begins with postgres://`);
  }
  if (!isUrl(url)) {
    throw new TypeError(
      `${whose} is not the URL of a database; is its password percent-encoded, as by encodeURIComponent?`,
    );
  }
  return url;
}

/** Checks the variables from which postgres.js fills gaps of the URL. @throws TypeError */
export function checkEnvironment(variables: Readonly<Record<string, string | undefined>>): void {
  const { PGHOST: host, PGPORT: port, PGDATABASE: database } = variables;
  const refuse = (name: string, what: string): never => {
    throw new TypeError(`Environment variable ${name} is not ${what}`);
  };
  if (host !== undefined && !host.startsWith('/') && !host.split(',').every(isHost)) refuse('PGHOST', 'a host');
  if (port !== undefined && !isPort(port)) refuse('PGPORT', 'a port');
  if (database?.includes('://') === true) refuse('PGDATABASE', 'the name of a database');
}

function isUrl(url: string): boolean {
  const found = /^\w+:\/\/(?:([^@/?#]*)@)?([^@/?#]*)([^@#]*)$/.exec(url);
  if (found === null) return false;
  const [, credentials = '', hosts = '', rest = ''] = found;
  const [first = '', ...more] = hosts.split(',');
  try {
    for (const part of [credentials, hosts, rest]) decodeURIComponent(part);
  } catch {
    return false;
  }
  // postgres.js splits several hosts itself and parses the rest.
  return [first, ...more].every(isHost) && URL.canParse(url.replace(hosts, first));
}

/** A name or an address, with or without a port. */
function isHost(text: string): boolean {
  const [, port] = /^(?:\[[\da-fA-F:.]+\]|[^\s:@/[\]]*)(?::(.*))?$/.exec(text) ?? [undefined, ''];
  return port === undefined || isPort(port);
}

function isPort(text: string): boolean {
  return /^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65_535;
}
