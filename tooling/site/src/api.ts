import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { root, workspacePackages } from '@mcp-session-tooling/workspace/packages';
import { Application, type ProjectReflection } from 'typedoc';
import { base } from './pages.ts';

/** The entries of the published packages: the name that users import, by the file of the source. */
export function entries(): ReadonlyMap<string, string> {
  const found = workspacePackages()
    .filter(({ manifest }) => manifest.private !== true)
    .flatMap(({ path, manifest }) =>
      Object.entries(manifest.exports ?? {}).flatMap(([entry, target]) => {
        const source = typeof target === 'string' ? undefined : target['@mcp-session/source'];
        return source === undefined ? [] : [[join(path, source), join(manifest.name, entry)] as const];
      }),
    );
  return new Map(found);
}

/**
 * Writes the API reference from the doc comments into a folder.
 *
 * @throws Error if the sources cannot be read, or a comment has a link to nothing.
 */
export async function writeApi(folder: string): Promise<void> {
  const names = entries();
  const app = await Application.bootstrap({
    name: '@mcp-session',
    entryPoints: [...names.keys()],
    tsconfig: fileURLToPath(new URL('../api.tsconfig.json', import.meta.url)),
    basePath: root,
    readme: 'none',
    // `check` has done that.
    skipErrorChecking: true,
    excludeExternals: true,
    excludePrivate: true,
    hideGenerator: true,
    disableSources: true,
    includeHierarchySummary: false,
    navigationLinks: { Documents: `${base}documents.html` },
    logLevel: 'Error',
    githubPages: false,
  });
  const project = await app.convert();
  if (project === undefined) throw new Error('TypeDoc could not read the sources of the packages');
  nameEntries(project, names);
  await app.generateDocs(project, folder);
}

/** Gives each entry the name that users import. */
function nameEntries(project: ProjectReflection, names: ReadonlyMap<string, string>): void {
  for (const child of project.children ?? []) {
    // TypeDoc's own name is the path of the source, without `index`.
    const files = [`${child.name}.ts`, join(child.name, 'index.ts')].map((file) => join(root, file));
    const name = files.map((file) => names.get(file)).find((each) => each !== undefined);
    if (name === undefined) throw new Error(`Nothing says how users import ${child.name}`);
    child.name = name;
  }
}
