/**
 * Reads the version of an installed package, such as a driver.
 *
 * The modules of Node are taken when they are needed: a static import of `findPackageJSON` would
 * keep this package from loading on runtimes that do not have it.
 *
 * @param base `import.meta.url` of the module that imports the package.
 * @returns `undefined` if it is not installed, or was bundled.
 */
export function versionOf(packageName: string, base: string): string | undefined {
  try {
    const path = process.getBuiltinModule('node:module').findPackageJSON(packageName, base);
    if (path === undefined) return undefined;
    const text = process.getBuiltinModule('node:fs').readFileSync(path, 'utf8');
    const { version } = JSON.parse(text) as { readonly version?: unknown };
    return typeof version === 'string' ? version : undefined;
  } catch {
    return undefined;
  }
}
