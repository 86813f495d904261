/** @throws Error unless the condition is true. */
export function checkThat(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(otherwise);
}

/**
 * @throws Error unless the numbers are `first` to `last`, each once, in order.
 */
export function checkChapters(chapters: readonly number[], first: number, last: number, what = 'chapter'): void {
  const all = Array.from({ length: last - first + 1 }, (_, index) => first + index);
  const came = `It got ${chapters.join(', ') || 'none'}`;
  const lost = all.filter((chapter) => !chapters.includes(chapter));
  checkThat(lost.length === 0, `Lost: ${what} ${lost.join(', ')}. ${came}`);
  const doubled = chapters.filter((chapter, index) => chapters.indexOf(chapter) !== index);
  checkThat(doubled.length === 0, `Doubled: ${what} ${doubled.join(', ')}. ${came}`);
  checkThat(chapters.join() === all.join(), `Out of order. ${came}`);
}
