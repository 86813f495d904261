import { readFileSync } from 'node:fs';
import { findPackageJSON } from 'node:module';

/**
 * Reads the version of an installed package, such as a driver.
 *
 * @param base `import.meta.url` of the module that imports the package.
 * @returns `undefined` if it is not installed, or was bundled.
 */
export function versionOf(packageName: string, base: string): string | undefined {
  try {
    const path = findPackageJSON(packageName, base);
    if (path === undefined) return undefined;
    const { version } = JSON.parse(readFileSync(path, 'utf8')) as { readonly version?: unknown };
    return typeof version === 'string' ? version : undefined;
  } catch {
    return undefined;
  }
}
