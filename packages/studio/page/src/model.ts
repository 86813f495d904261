import { effect, signal } from '@preact/signals';
import { ApiError, call, type Answers } from './api.ts';

/** What the page asks first; `undefined` until it is answered. */
export const about = signal<Answers['about'] | undefined>(undefined);
/** Why nothing can be read; `undefined` while all is well. */
export const problem = signal<ApiError | undefined>(undefined);
/** The present time, each second. */
export const now = signal(Date.now());
/** What the page says for a moment. */
export const toast = signal<string | undefined>(undefined);
/** The dialog that is open. */
export const dialog = signal<'end' | 'end-all' | 'help' | undefined>(undefined);

export type Theme = 'system' | 'light' | 'dark';
const THEMES: readonly Theme[] = ['system', 'light', 'dark'];
const THEME = 'mcp-session-studio-theme';
const stored = localStorage.getItem(THEME);
export const theme = signal<Theme>(THEMES.find((each) => each === stored) ?? 'system');

effect(() => {
  document.documentElement.dataset['theme'] = theme.value;
  localStorage.setItem(THEME, theme.value);
});

export function nextTheme(): void {
  theme.value = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length] ?? 'system';
}

setInterval(() => (now.value = Date.now()), 1_000);

let fading: ReturnType<typeof setTimeout> | undefined;

export function say(text: string): void {
  clearTimeout(fading);
  toast.value = text;
  fading = setTimeout(() => (toast.value = undefined), 2_500);
}

/** Notes a failure that concerns the whole page. An aborted call is none. */
export function note(error: unknown): void {
  if (error instanceof DOMException && error.name === 'AbortError') return;
  problem.value = error instanceof ApiError ? error : new ApiError(0, 'PAGE', String(error));
}

export async function begin(): Promise<void> {
  try {
    about.value = await call('about');
    problem.value = undefined;
  } catch (error) {
    note(error);
  }
}

/** Live sessions by kind; `undefined` until they are counted. */
export const kinds = signal<Answers['kinds']['kinds'] | undefined>(undefined);

export async function countKinds(): Promise<void> {
  try {
    ({ kinds: kinds.value } = await call('kinds'));
  } catch {
    // A store may refuse to read everything. The list works without the counts.
  }
}

export async function copy(text: string, what: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    say(`Copied ${what}`);
  } catch {
    say('The browser does not allow to copy here');
  }
}
