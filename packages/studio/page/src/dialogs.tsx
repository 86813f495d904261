import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { call } from './api.ts';
import { number, printable, shortId, span } from './format.ts';
import { filter, forget, reload } from './list-model.ts';
import { countKinds, dialog, now, note, say } from './model.ts';
import { open } from './session-model.ts';

export function Dialogs(): preact.JSX.Element | null {
  if (dialog.value === 'help') return <Help />;
  if (dialog.value === 'end') return <EndOne />;
  if (dialog.value === 'end-all') return <EndAll />;
  return null;
}

const close = (): void => {
  dialog.value = undefined;
};

function Modal({
  title,
  children,
}: {
  readonly title: string;
  readonly children: ComponentChildren;
}): preact.JSX.Element {
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => element.current?.showModal(), []);
  return (
    <dialog
      ref={element}
      aria-label={title}
      onClose={close}
      onClick={(event) => event.target === element.current && close()}
    >
      <div class="dialog">
        <h2>{title}</h2>
        {children}
      </div>
    </dialog>
  );
}

interface ConfirmProps {
  readonly label: string;
  readonly onConfirm: () => Promise<void>;
  readonly disabled?: boolean;
}

function Confirm({ label, onConfirm, disabled = false }: ConfirmProps): preact.JSX.Element {
  const isBusy = useSignal(false);
  const confirm = async (): Promise<void> => {
    isBusy.value = true;
    try {
      await onConfirm();
    } catch (error) {
      note(error);
    } finally {
      close();
    }
  };
  return (
    <div class="row-line buttons">
      <button type="button" class="button" autofocus onClick={close}>
        Cancel
      </button>
      <button
        type="button"
        class="button danger solid"
        disabled={disabled || isBusy.value}
        onClick={() => void confirm()}
      >
        {label}
      </button>
    </div>
  );
}

function EndOne(): preact.JSX.Element | null {
  const { value: model } = open;
  const session = model?.facts.value?.session;
  if (model === undefined || session === undefined) return null;
  const end = async (): Promise<void> => {
    const { ended } = await call('end', { id: model.id });
    say(ended ? 'The session has ended' : 'The session had ended before');
    forget(model.id);
    void countKinds();
    void model.refresh();
  };
  return (
    <Modal title="End this session?">
      <p>
        <code>{shortId(model.id)}</code> of{' '}
        <strong>{session.principal === null ? 'nobody' : printable(session.principal)}</strong>, last active{' '}
        {span(Math.max(0, now.value - session.lastActiveAt))} ago.
      </p>
      <p>
        Its state and its log are removed, for every process at once. The client must begin a new session. This cannot
        be undone.
      </p>
      <Confirm label="End session" onConfirm={end} />
    </Modal>
  );
}

function EndAll(): preact.JSX.Element | null {
  const count = useSignal<number | undefined>(undefined);
  const { kind, principal } = filter.value;
  useEffect(() => {
    call('count', { kind, principal }).then(({ count: found }) => (count.value = found), note);
  }, []);
  if (principal === undefined) return null;
  const endAll = async (): Promise<void> => {
    const { ended } = await call('endAll', { kind, principal });
    say(`${number(ended)} ended`);
    reload();
    void countKinds();
    void open.value?.refresh();
  };
  return (
    <Modal title={`End all of ${principal === null ? 'nobody' : printable(principal)}?`}>
      <p>
        {count.value === undefined ? 'Counting…' : `${number(count.value)} live of the kind ${kind}.`} Their states and
        logs are removed. This cannot be undone.
      </p>
      <Confirm
        label={count.value === undefined ? 'End all' : `End ${number(count.value)}`}
        disabled={count.value === undefined || count.value === 0}
        onConfirm={endAll}
      />
    </Modal>
  );
}

const KEYS = [
  ['/', 'search'],
  ['↑ ↓ j k', 'choose a session or an event'],
  ['Page, Home, End', 'choose further away'],
  ['Enter', 'open the session'],
  ['1 2 3', 'log, state, facts'],
  ['g', 'go from the list to the log and back'],
  ['Esc', 'close what is open'],
  ['c', 'copy the id'],
  ['e', 'end the session'],
  ['r', 'read the list again'],
  ['t', 'theme'],
] as const;

function Help(): preact.JSX.Element {
  return (
    <Modal title="Keys">
      <table class="keys">
        <tbody>
          {KEYS.map(([keys, what]) => (
            <tr key={keys}>
              <th scope="row">
                <kbd>{keys}</kbd>
              </th>
              <td>{what}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <div class="row-line buttons">
        <button type="button" class="button" autofocus onClick={close}>
          Close
        </button>
      </div>
    </Modal>
  );
}
