let headings = 0;

/** Begins the next part of the story. */
export function heading(text: string): void {
  console.log(`\n${++headings}. ${text}`);
}

/** Prints what a participant of the story does or sees. */
export function tell(who: string, text: string): void {
  console.log(`   ${who} | ${text}`);
}
