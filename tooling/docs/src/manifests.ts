import { parseAllDocuments } from 'yaml';
import type { Block } from './documents.ts';

/**
 * Code that the compiler accepts only if the manifests of Kubernetes in a YAML block have the
 * fields of the API: all that are required, and no others.
 *
 * @throws Error that says why the block is no YAML, or no manifest.
 */
export function manifestCode({ code }: Pick<Block, 'code'>): string {
  return parseAllDocuments(code)
    .map((document, index) => {
      const [error] = document.errors;
      if (error !== undefined) throw error;
      const manifest = document.toJS() as { readonly apiVersion?: unknown; readonly kind?: unknown } | null;
      const { apiVersion, kind } = manifest ?? {};
      if (typeof apiVersion !== 'string' || typeof kind !== 'string') {
        throw new Error('A YAML block must be a manifest of Kubernetes, or say why nothing checks it');
      }
      const module = `kubernetes-models/${apiVersion}`;
      return `export const manifest${index}: import('${module}').I${kind} = ${JSON.stringify(manifest, undefined, 2)};\n`;
    })
    .join('');
}
