import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseSync } from 'vite';

/** One import or re-export of a module by another. */
export interface Import {
  /** Path of the importing file from its package's folder. */
  readonly file: string;
  /** What is imported, as written; the expression if it is computed. */
  readonly specifier: string;
  /** Whether this is an `import()` whose target is only known at run time. */
  readonly computed: boolean;
  /** Whether the import disappears when types are erased. */
  readonly typeOnly: boolean;
}

/**
 * Every import, re-export and `import()` in the TypeScript files of a folder; none if the folder
 * does not exist.
 */
export function importsOf(packagePath: string, folder: string): Import[] {
  return sourceFiles(join(packagePath, folder)).flatMap((path) => {
    const code = readFileSync(path, 'utf8');
    const file = relative(packagePath, path).replaceAll('\\', '/');
    return parseImports(code).map((found) => Object.assign(found, { file }));
  });
}

/** The imports of one file's text. */
export function parseImports(code: string): Omit<Import, 'file'>[] {
  const { module, errors } = parseSync('file.ts', code);
  if (errors.length > 0) throw new SyntaxError(errors[0]?.message);

  const imports = module.staticImports.map(({ moduleRequest, entries }) => ({
    specifier: moduleRequest.value,
    computed: false,
    typeOnly: entries.length > 0 && entries.every(({ isType }) => isType),
  }));
  const exports = module.staticExports.flatMap(({ entries }) =>
    entries.flatMap(({ moduleRequest, isType }) =>
      moduleRequest ? [{ specifier: moduleRequest.value, computed: false, typeOnly: isType }] : [],
    ),
  );
  const dynamic = module.dynamicImports.map(({ moduleRequest }) => {
    const expression = code.slice(moduleRequest.start, moduleRequest.end);
    const literal = /^(['"])([^'"]*)\1$/.exec(expression)?.[2];
    return { specifier: literal ?? expression, computed: literal === undefined, typeOnly: false };
  });
  return [...imports, ...exports, ...dynamic];
}

function sourceFiles(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.[cm]?tsx?$/.test(name) && !name.includes('node_modules'))
      .map((name) => join(folder, name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
