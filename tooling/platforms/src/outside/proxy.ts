import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { root } from '@mcp-session-tooling/workspace/packages';

/** A proxy that runs with the configuration of the documents. */
export interface Proxy {
  readonly url: string;
  /** The host and port that clients call. */
  readonly host: string;
  readonly stop: () => Promise<void>;
}

/** A proxy of the documents. */
export interface ProxyKind {
  /** The program and its Debian package. */
  readonly name: 'nginx' | 'caddy';
  readonly title: string;
  /** What a user must do and would not expect, in Markdown. */
  readonly set: string;
  readonly surprises: string;
  /** For how long a node must say that it is not ready before it stops, in milliseconds. */
  readonly unreadyMs: number;
  /** Changes the configuration into one that sends a call again. `undefined`: nothing does. */
  readonly unsafe?: (shown: string) => string;
  readonly versionOf: (program: string) => string;
  /** Writes the configuration and returns the arguments of the program. */
  readonly configure: (folder: string, shown: string, port: number) => readonly string[];
}

const nginx: ProxyKind = {
  name: 'nginx',
  title: 'nginx',
  set: '[The configuration](../operating/load-balancer.md#nginx)',
  surprises:
    'With `max_fails` at its default, a node that was killed once gets one request at a time until it has answered one: a client that resumes two streams gets 502 for the second',
  unreadyMs: 0,
  unsafe: (shown) => shown.replace('proxy_buffering off;', '$& proxy_next_upstream error non_idempotent;'),
  versionOf: (program) =>
    /\/(?<version>\S+)/.exec(spawnSync(program, ['-v']).stderr.toString())?.groups?.['version'] ?? '',
  configure: (folder, shown, port) => {
    for (const each of ['body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']) mkdirSync(join(folder, each));
    writeFileSync(join(folder, 'shown.conf'), shown.replace('listen 80;', `listen 127.0.0.1:${port};`));
    // A process of root gives its workers another user, who may not write into the folder.
    const user = process.getuid?.() === 0 ? 'user root;' : '';
    writeFileSync(
      join(folder, 'nginx.conf'),
      `daemon off; pid ${folder}/pid; error_log stderr crit; ${user}
events {}
http {
  access_log off;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  include shown.conf;
}
`,
    );
    return ['-p', folder, '-c', join(folder, 'nginx.conf'), '-e', 'stderr'];
  },
};

const caddy: ProxyKind = {
  name: 'caddy',
  title: 'Caddy',
  set: '[The configuration](../operating/load-balancer.md#caddy)',
  surprises:
    'A call to a node that has just stopped gets 502. `lb_try_duration` makes that worse in Caddy 2.6: each POST after the first gets 502',
  unreadyMs: 2_000,
  versionOf: (program) => execFileSync(program, ['version'], { encoding: 'utf8' }).split(' ', 1)[0]?.trim() ?? '',
  configure: (folder, shown, port) => {
    // Without a name of the internet there is no certificate to obtain.
    const site = shown.replace('mcp.example.com', `http://127.0.0.1:${port}`);
    writeFileSync(join(folder, 'Caddyfile'), `{\n  admin off\n  log {\n    level PANIC\n  }\n}\n${site}`);
    return ['run', '--config', join(folder, 'Caddyfile'), '--adapter', 'caddyfile'];
  },
};

export const proxies: readonly ProxyKind[] = [nginx, caddy];

/**
 * Where the program of a Debian package is: an installed one, or one that is unpacked into the
 * folder, which needs no rights.
 */
export function programOf(name: string, folder: string): string {
  const path = `${process.env['PATH'] ?? ''}:/usr/sbin`;
  const found = spawnSync('sh', ['-c', 'command -v "$0"', name], { env: { PATH: path }, encoding: 'utf8' });
  if (found.status === 0) return found.stdout.trim();
  execFileSync('apt-get', ['download', name], { cwd: folder });
  execFileSync('sh', ['-c', 'dpkg -x ./"$0"_*.deb .', name], { cwd: folder });
  return join(folder, name === 'nginx' ? 'usr/sbin/nginx' : 'usr/bin/caddy');
}

/** The configuration that the page shows, with the addresses of this machine in it. */
export function shownConfiguration(name: ProxyKind['name'], ports: readonly number[]): string {
  const page = readFileSync(join(root, 'docs/operating/load-balancer.md'), 'utf8');
  const language = name === 'nginx' ? 'nginx' : 'text';
  const shown = new RegExp(`^\`\`\`${language}\\n(?<code>[\\s\\S]*?)^\`\`\`$`, 'm').exec(page)?.groups?.['code'];
  if (shown === undefined) throw new Error(`The documents have no configuration for ${name}`);
  return ports.reduce((text, port, index) => text.replace(`10.0.0.${index + 1}:3001`, `127.0.0.1:${port}`), shown);
}

/** Starts a proxy. */
export async function startProxy(
  program: string,
  kind: ProxyKind,
  configuration: string,
  { folder, port }: { readonly folder: string; readonly port: number },
): Promise<Proxy> {
  mkdirSync(folder);
  const args = kind.configure(folder, configuration, port);
  const env = { ...process.env, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder };
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit'], env });
  const ended = once(child, 'close');
  const host = `127.0.0.1:${port}`;
  const url = `http://${host}/mcp`;
  while (
    !(await fetch(url).then(
      () => true,
      () => false,
    ))
  ) {
    if (child.exitCode !== null) throw new Error(`${kind.name} ended with exit code ${child.exitCode}`);
    await pause(50);
  }
  return {
    url,
    host,
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
    },
  };
}
