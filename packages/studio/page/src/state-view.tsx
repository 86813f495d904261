import { useSignal } from '@preact/signals';
import { call, type StateKey } from './api.ts';
import { number, printable, size } from './format.ts';
import { note } from './model.ts';
import type { SessionModel } from './session-model.ts';
import { parsed, Tree } from './tree.tsx';

export function StateView({ model }: { readonly model: SessionModel }): preact.JSX.Element {
  const { value: keys } = model.keys;
  if (keys === undefined) return <p class="empty">Reading…</p>;
  if (keys.length === 0) return <p class="empty">The state is empty.</p>;
  const more = model.totalKeys.value - keys.length;
  return (
    <div class="scroll state">
      {keys.map((entry) => (
        <Entry key={`${entry.version} ${entry.key}`} model={model} entry={entry} />
      ))}
      {model.nextKey.value === null ? null : (
        <button type="button" class="button" onClick={() => void model.moreKeys().catch(note)}>
          Show more of {number(more)} keys
        </button>
      )}
    </div>
  );
}

function Entry({ model, entry }: { readonly model: SessionModel; readonly entry: StateKey }): preact.JSX.Element {
  const whole = useSignal(entry.text.length < entry.size ? undefined : entry.text);
  const load = async (): Promise<void> => {
    try {
      whole.value = (await call('value', { id: model.id, key: entry.key })).text;
    } catch (error) {
      note(error);
    }
  };
  return (
    <article class="entry">
      <header class="row-line">
        <h3 class="ellipsis">{printable(entry.key)}</h3>
        <span class="spring" />
        <span class="quiet nowrap">{size(entry.size)}</span>
        <span class="chip version" title="Version: the number of the commit that wrote the key">
          v{number(entry.version)}
        </span>
      </header>
      {whole.value === undefined ? (
        <p class="start">
          {printable(entry.text.slice(0, 200))}…{' '}
          <button type="button" class="more" onClick={() => void load()}>
            read all
          </button>
        </p>
      ) : (
        <Tree value={parsed(whole.value)} levels={4} />
      )}
    </article>
  );
}
