import { describe, expect, it } from 'vitest';
import { home, metadataOf, pageOf, releaseProblems, withPage, writeMetadata } from '../src/metadata.ts';

const at = (url: string) => ({ repository: { type: 'git', url } });

describe('the repository', () => {
  it('is the same in every published manifest and README', () => {
    expect(writeMetadata(false)).toEqual([]);
  });

  it('makes homepage, bugs and directory of a package', () => {
    expect(metadataOf('packages/core', at('git+https://github.com/someone/name.git'))).toEqual({
      homepage: 'https://github.com/someone/name/tree/main/packages/core#readme',
      bugs: 'https://github.com/someone/name/issues',
      repository: { type: 'git', url: 'git+https://github.com/someone/name.git', directory: 'packages/core' },
    });
  });

  it('replaces another one in the links of a README', () => {
    const page = pageOf(home());
    const text = 'See [a](https://github.com/old/name/blob/main/docs/errors.md) and [b](https://github.com/x/y).';

    expect(withPage(text, page)).toBe(`See [a](${page}/blob/main/docs/errors.md) and [b](https://github.com/x/y).`);
  });

  it('lets a release pass when it is real, and refuses a placeholder and what is no repository', () => {
    expect(releaseProblems(at('git+https://github.com/someone/name.git'))).toEqual([]);
    expect(releaseProblems(at('git+https://github.com/OWNER/mcp-session.git'))).toHaveLength(1);
    expect(releaseProblems(at('https://github.com/someone'))).toHaveLength(1);
  });
});
