import { Detail } from './detail.tsx';
import { Dialogs } from './dialogs.tsx';
import { Icon } from './icons.tsx';
import { about, begin, dialog, nextTheme, problem, theme, toast } from './model.ts';
import { open } from './session-model.ts';
import { reload } from './list-model.ts';
import { Sidebar } from './sidebar.tsx';

export function App(): preact.JSX.Element {
  return (
    <div class={`app${open.value === undefined ? '' : ' has-session'}`}>
      <Header />
      {problem.value === undefined ? null : <Problem />}
      <div class="panes">
        <Sidebar />
        {open.value === undefined ? <Welcome /> : <Detail key={open.value.id} model={open.value} />}
      </div>
      <Dialogs />
      <div class="toast" role="status" aria-live="polite" data-shown={toast.value !== undefined}>
        {toast.value}
      </div>
    </div>
  );
}

function Header(): preact.JSX.Element {
  const { value } = about;
  const next = { system: 'as the system', light: 'light', dark: 'dark' }[theme.value];
  return (
    <header class="top">
      <svg class="logo" viewBox="0 0 32 32" aria-hidden="true">
        <rect width="32" height="32" rx="8" />
        <path d="M10 7v18M10 11c0 5 12 2 12 8v6" />
        <circle cx="10" cy="11" r="3.2" />
        <circle cx="22" cy="21" r="3.2" />
      </svg>
      <h1>Sessions</h1>
      {value === undefined ? null : <span class="chip">{value.backend}</span>}
      {value?.readOnly === true ? <span class="chip chip-quiet">read only</span> : null}
      <span class="spring" />
      <button
        type="button"
        class="icon-button"
        title={`Theme: ${next} (t)`}
        aria-label={`Theme: ${next}`}
        onClick={nextTheme}
      >
        <Icon name={theme.value} />
      </button>
      <button
        type="button"
        class="icon-button"
        title="Keys (?)"
        aria-label="Keys"
        onClick={() => (dialog.value = 'help')}
      >
        <Icon name="help" />
      </button>
    </header>
  );
}

function Problem(): preact.JSX.Element {
  const { value } = problem;
  const isRefused = value?.status === 403 || value?.status === 401;
  const retry = (): void => {
    problem.value = undefined;
    void begin();
    reload();
  };
  return (
    <div class="problem" role="alert">
      <strong>{isRefused ? 'You may not look here.' : 'That did not work.'}</strong>
      <span>
        {value?.message}
        {isRefused
          ? '. If the command started the studio, open the whole address that it printed.'
          : ` (${value?.code})`}
      </span>
      <button type="button" class="button" onClick={retry}>
        Try again
      </button>
    </div>
  );
}

function Welcome(): preact.JSX.Element {
  return (
    <main class="welcome">
      <svg viewBox="0 0 160 120" aria-hidden="true">
        <path class="lane-0" d="M50 8v104" />
        <path class="lane-1" d="M50 30c0 18 30 8 30 28v24c0 18-30 8-30 24" />
        <path class="lane-2" d="M80 58c0 14 30 6 30 20v34" />
        <circle class="dot-0" cx="50" cy="26" r="6" />
        <circle class="dot-1" cx="80" cy="60" r="6" />
        <circle class="dot-2" cx="110" cy="86" r="6" />
        <circle class="dot-0" cx="50" cy="104" r="6" />
      </svg>
      <h2>Choose a session</h2>
      <p>Its facts, its state and its log are shown here, live. Looking renews nothing.</p>
      <p class="keys">
        <kbd>↑</kbd> <kbd>↓</kbd> choose <kbd>Enter</kbd> open <kbd>/</kbd> search <kbd>?</kbd> all keys
      </p>
    </main>
  );
}
