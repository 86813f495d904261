import { describe, expect, it } from 'vitest';
import { blocksOf, brokenLinks, linkedDocuments } from '../src/documents.ts';

const fence = '```';

describe('code blocks', () => {
  it('are found with their language, flags and line', () => {
    const text = `# Title\n\n${fence}ts run\nconst a = 1;\n${fence}\n\ntext\n\n${fence}\nplain\n${fence}\n`;

    expect(blocksOf({ path: 'a.md', text })).toEqual([
      {
        document: 'a.md',
        line: 3,
        language: 'ts',
        flags: ['run'],
        code: 'const a = 1;\n',
        prelude: '',
        unchecked: undefined,
      },
      { document: 'a.md', line: 9, language: '', flags: [], code: 'plain\n', prelude: '', unchecked: undefined },
    ]);
  });

  it('stand on a hidden context, or on the block before', () => {
    const text = [
      '<!-- context',
      'declare const a: number;',
      '-->',
      `${fence}ts`,
      'const b = a;',
      fence,
      '<!-- continues -->',
      '',
      `${fence}ts`,
      'const c = b;',
      fence,
      `${fence}ts`,
      'const d = 1;',
      fence,
    ].join('\n');

    expect(blocksOf({ path: 'a.md', text }).map(({ prelude }) => prelude)).toEqual([
      'declare const a: number;\n',
      'declare const a: number;\nconst b = a;\n',
      '',
    ]);
  });

  it('may say why nothing checks them', () => {
    const text = `<!-- unchecked: a drawing -->\n${fence}text\na -> b\n${fence}`;

    expect(blocksOf({ path: 'a.md', text })[0]?.unchecked).toBe('a drawing');
  });

  it('lose the indentation that a list gives them', () => {
    const text = `- item\n\n  ${fence}ts\n  if (a) {\n    b();\n  }\n  ${fence}\n`;

    expect(blocksOf({ path: 'a.md', text })[0]?.code).toBe('if (a) {\n  b();\n}\n');
  });
});

describe('links', () => {
  it.each(['missing.md', 'LICENSE/nothing', '#no-such-heading', '../outside-of-it.md'])(
    'to %s are broken',
    (target) => {
      expect(brokenLinks({ path: 'README.md', text: `# Title\n[x](${target})` })).toEqual([target]);
    },
  );

  it('to files, folders and other sites are fine, and code holds no links', () => {
    const text = `[a](LICENSE) [b](tooling/docs) [c](https://example.com/x) \`[d](nowhere)\`\n${fence}md\n[e](nowhere)\n${fence}`;

    expect(brokenLinks({ path: 'README.md', text })).toEqual([]);
  });

  it('lead to other documents, from where the document lies', () => {
    const text = '[a](contract.md#data) [b](../README.md) [c](../packages) [d](https://example.com/x.md)';

    expect(linkedDocuments({ path: 'docs/a.md', text })).toEqual(['docs/contract.md', 'README.md']);
  });
});
