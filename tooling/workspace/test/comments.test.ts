import { describe, expect, it } from 'vitest';
import { wrapComments } from '../src/comments.ts';

const words = (count: number): string => Array.from({ length: count }, () => 'word').join(' ');

describe('wrapping of comments', () => {
  it('wraps a wide paragraph at 100 columns and leaves the next one alone', () => {
    const code = `  // ${words(25)}\n  // end\n  //\n  // short\nconst x = 1;\n`;

    expect(wrapComments(code)).toBe(`  // ${words(19)}\n  // ${words(6)} end\n  //\n  // short\nconst x = 1;\n`);
  });

  it('makes a block of a doc comment on one line', () => {
    const wide = `/** ${words(25)} */\nconst x = 1;`;

    expect(wrapComments(wide)).toBe(`/**\n * ${words(19)}\n * ${words(6)}\n */\nconst x = 1;`);
  });

  it('starts lists and tags anew', () => {
    const code = `/**\n * Short.\n *\n * - ${words(25)}\n * - one\n * @param x ${words(25)}\n * @returns y\n */`;

    expect(wrapComments(code)).toBe(
      `/**\n * Short.\n *\n * - ${words(19)}\n *   ${words(6)}\n * - one\n * @param x ${words(17)}\n * ${words(8)}\n * @returns y\n */`,
    );
  });

  it.each([
    ['a code block', `/**\n * \`\`\`ts\n * ${words(25)}\n * \`\`\`\n */`],
    ['a table', `/**\n * | ${words(25)} |\n */`],
    ['a table that is indented', `/*\n * Title\n *\n *   | ${words(25)} |\n *   | word |\n */`],
    ['lines with an indentation of their own', `// Usage:\n//   run ${words(25)}\n//   stop  ends it`],
    ['a comment behind code', `const x = 1; // ${words(25)}`],
    ['text that looks like a comment', `const text = \`\n// ${words(25)}\n\`;`],
    ['a word that is too long', `// ${'w'.repeat(120)}`],
  ])('leaves %s as it is', (_, code) => {
    expect(wrapComments(code)).toBe(code);
  });

  it('does not break a code span', () => {
    const code = `// ${words(18)} \`a code span\` word`;

    expect(wrapComments(code)).toBe(`// ${words(18)}\n// \`a code span\` word`);
  });
});
