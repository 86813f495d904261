import { reload } from './list-model.ts';
import { about, copy, countKinds, dialog, nextTheme } from './model.ts';
import { closeSession, open, tab } from './session-model.ts';

/** What keys do outside of fields and lists. */
const ACTIONS: Readonly<Record<string, () => void>> = {
  '/': () => document.querySelector<HTMLInputElement>('#search')?.select(),
  '?': () => (dialog.value = 'help'),
  '1': () => (tab.value = 'log'),
  '2': () => (tab.value = 'state'),
  '3': () => (tab.value = 'facts'),
  t: nextTheme,
  r: () => {
    reload();
    void countKinds();
  },
  c: () => {
    if (open.value !== undefined) void copy(open.value.id, 'the id. It is a credential');
  },
  e: () => {
    if (open.value?.isGone.value === false && about.value?.readOnly === false) dialog.value = 'end';
  },
  g: () => {
    const isInList = document.activeElement?.closest('.sidebar') !== null;
    focusList(isInList && open.value !== undefined ? '.detail' : '.sidebar');
  },
  Escape: () => {
    if (open.value?.log.chosen.value !== undefined) open.value.log.chosen.value = undefined;
    else closeSession();
    focusList('.sidebar');
  },
};

function focusList(pane: string): void {
  document.querySelector<HTMLElement>(`${pane} .virtual`)?.focus();
}

export function listenToKeys(): void {
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || dialog.value !== undefined) return;
    const target = event.target as HTMLElement;
    if (/^(?:INPUT|SELECT|TEXTAREA)$/.test(target.tagName)) {
      if (event.key === 'Escape') target.blur();
      return;
    }
    const action = Object.hasOwn(ACTIONS, event.key) ? ACTIONS[event.key] : undefined;
    if (action !== undefined) {
      event.preventDefault();
      action();
    } else if (event.target === document.body && /^(?:Arrow(?:Up|Down)|[jk])$/.test(event.key)) {
      focusList('.sidebar');
    }
  });
}
