import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { call } from './api.ts';
import { explain, streamMeaning, streamName } from './explain.ts';
import { printable, size, when } from './format.ts';
import { Icon } from './icons.tsx';
import type { LogModel } from './log-model.ts';
import { copy } from './model.ts';
import { open } from './session-model.ts';
import { parsed, Tree } from './tree.tsx';

/** One event: what it means, and its whole message. */
export function EventPanel({ log, seq }: { readonly log: LogModel; readonly seq: number }): preact.JSX.Element | null {
  const event = log.at(log.rowOf(seq));
  const whole = useSignal(event !== undefined && event.text.length === event.size ? event.text : undefined);
  const failure = useSignal<string | undefined>(undefined);
  useEffect(() => {
    const id = open.value?.id;
    if (whole.value !== undefined || id === undefined) return;
    call('event', { id, seq }).then(
      ({ text }) => (whole.value = text),
      (error: unknown) => (failure.value = error instanceof Error ? error.message : String(error)),
    );
  }, []);
  if (event === undefined) return null;
  const { kind, title, meaning } = explain(event);
  const { streamId } = event;
  return (
    <aside class="panel" aria-label={`Event ${seq}`}>
      <header class="row-line">
        <span class={`kind-badge kind-${kind}`}>
          <Icon name={kind} />
          {kind}
        </span>
        <h3 class="ellipsis">{printable(title)}</h3>
        <span class="quiet nowrap">{size(event.size)}</span>
        <span class="spring" />
        <Tools log={log} streamId={streamId} text={whole.value} />
      </header>
      <div class="scroll">
        <p class="meaning">{printable(meaning)}</p>
        <p class="quiet">
          Event {seq} · {when(event.createdAt)} · <strong>{printable(streamName(streamId))}</strong>{' '}
          <code class="breakable">{printable(streamId)}</code>. {streamMeaning(streamId)}
        </p>
        {failure.value === undefined ? null : <p class="failure">{failure.value}</p>}
        {whole.value === undefined ? <p class="quiet">Reading…</p> : <Tree value={parsed(whole.value)} levels={3} />}
      </div>
    </aside>
  );
}

interface ToolsProps {
  readonly log: LogModel;
  readonly streamId: string;
  readonly text: string | undefined;
}

function Tools({ log, streamId, text }: ToolsProps): preact.JSX.Element {
  return (
    <>
      <button
        type="button"
        class="link nowrap"
        onClick={() => log.show(log.stream.value === undefined ? streamId : undefined)}
      >
        {log.stream.value === undefined ? 'Only this stream' : 'All streams'}
      </button>
      <button
        type="button"
        class="icon-button"
        title="Copy the message"
        aria-label="Copy the message"
        disabled={text === undefined}
        onClick={() => void copy(text ?? '', 'the message')}
      >
        <Icon name="copy" />
      </button>
      <button
        type="button"
        class="icon-button"
        title="Close (Esc)"
        aria-label="Close"
        onClick={() => (log.chosen.value = undefined)}
      >
        <Icon name="close" />
      </button>
    </>
  );
}
