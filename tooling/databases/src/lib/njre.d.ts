// njre 3.0.0 has no types of its own; these are of what is used here (lib/install.js).
declare module 'njre' {
  export function install(version: number, options: { installPath: string }): Promise<string>;
}
