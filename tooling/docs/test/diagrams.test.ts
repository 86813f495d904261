import { describe, expect, it } from 'vitest';
import { diagramProblem } from '../src/diagrams.ts';
import { blocksOf, documents } from '../src/documents.ts';

const diagrams = documents()
  .flatMap(blocksOf)
  .filter(({ language }) => language === 'mermaid')
  .map(({ document, line, code }) => [`${document}:${line}`, code] as const);

describe('a diagram', () => {
  it.each(diagrams)('of %s can be drawn', async (_, code) => {
    expect(await diagramProblem(code)).toBeUndefined();
  });

  it.each([
    ['an arrow to nothing', 'flowchart TD\n  core -->\n'],
    ['a label that is not closed', 'flowchart TD\n  a["sqlite --> b\n'],
    ['a message without a colon', 'sequenceDiagram\n  Client->>Handler GET\n'],
    ['a block that is not ended', 'sequenceDiagram\n  alt all of them\n  Get-->>Client: 204\n'],
    ['no known kind', 'flow chart\n'],
  ])('with %s is found', async (_, code) => {
    expect(await diagramProblem(code)).toMatch(/error/i);
  });
});
