/** Every path in a text that exists on somebody's machine and not in the project. */
export function machinePaths(text: string): string[] {
  return [...text.matchAll(/(?<![\w.~-])\/(?:home|mnt|private|root|tmp|Users|work)\/[^\s`'")\]]*/g)].map(
    ([path]) => path,
  );
}
