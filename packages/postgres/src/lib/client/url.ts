// Whatever is wrong with an address is said here, and never by what would parse it: the errors of `URL` hold all of what they were given. No message holds any part
// of it, since what was meant to be the password can be in every part.

/**
 * Checks the URL of a database.
 *
 * A character of the password that is not percent-encoded can end it, so that its rest becomes the host, the path or the fragment. What can come of that alone is refused.
 *
 * @param whose Names the option or the variable.
 * @throws TypeError
 */
export function checkUrl(whose: string, url: unknown): string {
  if (typeof url !== 'string' || !/^postgres(ql)?:\/\//.test(url))
    throw new TypeError(`${whose} is not a URL that begins with postgres://`);
  if (!isUrl(url))
    throw new TypeError(`${whose} is no URL of a database; is its password percent-encoded, as by encodeURIComponent?`);
  return url;
}

/** Checks what postgres.js takes from the environment for what is not in the URL. @throws TypeError */
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
  // postgres.js splits several hosts by itself and parses the rest.
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
