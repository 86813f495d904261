import { fileURLToPath } from 'node:url';
import { build, type Rolldown } from 'vite';

const conditions = ['@mcp-session/source', 'workerd', 'worker', 'module', 'browser', 'import', 'default'];

/** The modules of a Worker. */
export type Bundle = readonly { readonly name: string; readonly code: string }[];

/** Bundles an entry as `wrangler` does. Modules of workerd itself stay outside. */
export async function bundle(entry: URL): Promise<Bundle> {
  const result = (await build({
    configFile: false,
    logLevel: 'error',
    resolve: { conditions },
    ssr: { noExternal: true, target: 'webworker', resolve: { conditions } },
    build: {
      write: false,
      target: 'es2024',
      minify: false,
      ssr: fileURLToPath(entry),
      rolldownOptions: { external: [/^node:/, /^cloudflare:/] },
    },
  })) as Rolldown.RolldownOutput;
  return result.output.flatMap((file) => (file.type === 'chunk' ? [{ name: file.fileName, code: file.code }] : []));
}
