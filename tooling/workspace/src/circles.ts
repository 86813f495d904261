import { targetOf } from './floors.ts';
import type { Import } from './imports.ts';

/**
 * Every circle of files that import each other, including imports of types: each circle as the
 * sorted list of its files. The linter finds only circles of values.
 */
export function circlesOf(imports: readonly Import[]): string[][] {
  const targets = new Map<string, string[]>();
  for (const found of imports) {
    if (found.computed || !found.specifier.startsWith('.')) continue;
    const before = targets.get(found.file);
    if (before) before.push(targetOf(found));
    else targets.set(found.file, [targetOf(found)]);
  }
  return new ComponentSearch(targets).run();
}

/** Tarjan's algorithm: the strongly connected components that have more than one file. */
class ComponentSearch {
  readonly #targets: ReadonlyMap<string, readonly string[]>;
  readonly #index = new Map<string, number>();
  readonly #low = new Map<string, number>();
  readonly #stack: string[] = [];
  readonly #circles: string[][] = [];

  constructor(targets: ReadonlyMap<string, readonly string[]>) {
    this.#targets = targets;
  }

  run(): string[][] {
    for (const file of this.#targets.keys()) {
      if (!this.#index.has(file)) this.#visit(file);
    }
    return this.#circles;
  }

  #visit(file: string): number {
    const index = this.#index.size;
    let low = index;
    this.#index.set(file, index);
    this.#stack.push(file);
    for (const target of this.#targets.get(file) ?? []) {
      if (!this.#index.has(target)) low = Math.min(low, this.#visit(target));
      else if (this.#stack.includes(target)) low = Math.min(low, this.#low.get(target) ?? this.#index.get(target) ?? 0);
    }
    this.#low.set(file, low);
    if (low === index) this.#close(file);
    return low;
  }

  #close(file: string): void {
    const circle = this.#stack.splice(this.#stack.indexOf(file)).toSorted();
    if (circle.length > 1) this.#circles.push(circle);
  }
}
