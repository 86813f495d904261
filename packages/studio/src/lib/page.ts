/** The files of the page: their texts by path, such as `index.html`. */
export type PageFiles = Readonly<Record<string, string>>;

/**
 * The files of the page. From the sources, Vite builds them now. The build of this package replaces
 * the compiled form of this module with one that contains the files, so that the published handler
 * reads no disk and works in every bundler.
 */
export async function loadPage(): Promise<PageFiles> {
  const builder = new URL('../../page/build.ts', import.meta.url).href;
  const { buildPage } = (await import(builder)) as { readonly buildPage: () => Promise<PageFiles> };
  return buildPage();
}
