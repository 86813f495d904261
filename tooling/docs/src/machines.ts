/** Every path in a text that belongs to somebody's machine and not to the project. */
export function machinePaths(text: string): string[] {
  return [...text.matchAll(/(?<![\w.~-])\/(?:home|mnt|private|root|tmp|Users|work)\/[^\s`'")\]]*/g)].map(
    ([path]) => path,
  );
}

/** Every host in a text's URLs that only somebody's own network knows. */
export function privateHosts(text: string): string[] {
  return [...text.matchAll(/\b[a-z][a-z+]*:\/\/(?:[^\s/@`'")]*@)?(?<host>[\w.-]+)/g)]
    .map((match) => match.groups?.['host'] ?? '')
    .filter(
      (host) =>
        /^(?:10|192\.168|172\.(?:1[6-9]|2\d|3[01]))\.|\.(?:corp|internal|lan|local)$/.test(host) || !host.includes('.'),
    )
    .filter((host) => host !== 'localhost');
}
