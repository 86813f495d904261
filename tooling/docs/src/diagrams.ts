import DOMPurify from 'dompurify';
import mermaid from 'mermaid';

// Mermaid sanitizes labels while it parses. Without a browser, DOMPurify has no methods, and
// nothing is drawn here that would need them.
Object.assign(DOMPurify, { addHook: () => undefined, sanitize: (text: string) => text });

/** Why Mermaid cannot parse a diagram; `undefined` if it can. */
export async function diagramProblem(code: string): Promise<string | undefined> {
  return mermaid.parse(code).then(
    () => undefined,
    (error: unknown) => String(error),
  );
}
