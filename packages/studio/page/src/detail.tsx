import type { ComponentChildren } from 'preact';
import { kindWords } from './explain.ts';
import { FactsView } from './facts-view.tsx';
import { countdown, number, printable, shortId, span } from './format.ts';
import { Icon } from './icons.tsx';
import { reload } from './list-model.ts';
import { about, copy, dialog, now } from './model.ts';
import { closeSession, tab, type SessionModel, type Tab } from './session-model.ts';
import { StateView } from './state-view.tsx';
import { Timeline } from './timeline.tsx';

const TABS: readonly (readonly [Tab, string])[] = [
  ['log', 'Log'],
  ['state', 'State'],
  ['facts', 'Facts'],
];

export function Detail({ model }: { readonly model: SessionModel }): preact.JSX.Element {
  return (
    <main class="detail">
      <Title model={model} />
      {model.isGone.value ? (
        <div class="gone" role="status">
          This session has ended or expired. What you see is what was read before.
        </div>
      ) : null}
      <Strip model={model} />
      <div class="tabs" role="tablist">
        {TABS.map(([name, label]) => (
          <button
            key={name}
            type="button"
            role="tab"
            aria-selected={tab.value === name}
            onClick={() => (tab.value = name)}
          >
            {label} <Count model={model} name={name} />
          </button>
        ))}
      </div>
      <section class="view" role="tabpanel">
        {tab.value === 'log' ? <Timeline log={model.log} /> : null}
        {tab.value === 'state' ? <StateView model={model} /> : null}
        {tab.value === 'facts' ? <FactsView model={model} /> : null}
      </section>
    </main>
  );
}

function Count({ model, name }: { readonly model: SessionModel; readonly name: Tab }): preact.JSX.Element | null {
  if (name === 'facts') return null;
  const count =
    name === 'log' ? model.log.lastSeq.value - model.log.firstSeq.value + 1 : model.keys.value && model.totalKeys.value;
  return count === undefined ? null : <span class="count">{number(Math.max(0, count))}</span>;
}

function Title({ model }: { readonly model: SessionModel }): preact.JSX.Element {
  const session = model.facts.value?.session;
  const words = kindWords(session?.kind ?? 'session');
  return (
    <div class="title">
      <button type="button" class="icon-button back" title="Back (Esc)" aria-label="Back" onClick={closeSession}>
        <Icon name="back" />
      </button>
      <div class="title-words">
        <div class="row-line">
          <h2>
            <code>{shortId(model.id)}</code>
          </h2>
          <button
            type="button"
            class="icon-button"
            title="Copy the whole id (c). It is a credential: who has it can use a session without an owner."
            aria-label="Copy the id"
            onClick={() => void copy(model.id, 'the id. It is a credential')}
          >
            <Icon name="copy" />
          </button>
        </div>
        <p class="quiet ellipsis" title={words.meaning}>
          <strong>{words.name}</strong> · {words.meaning}
        </p>
      </div>
      {about.value?.readOnly === false && !model.isGone.value ? (
        <button type="button" class="button danger" onClick={() => (dialog.value = 'end')}>
          End…
        </button>
      ) : null}
    </div>
  );
}

function Strip({ model }: { readonly model: SessionModel }): preact.JSX.Element {
  const session = model.facts.value?.session;
  if (session === undefined) return <div class="strip" />;
  const { expiresAt, lastActiveAt, createdAt, principal, client, protocolVersion, status } = session;
  const left = expiresAt - now.value;
  const share = Math.max(0, Math.min(1, left / Math.max(1, expiresAt - lastActiveAt)));
  const tone = share < 0.1 ? 'low' : share < 0.35 ? 'mid' : 'high';
  return (
    <dl class="strip">
      <Fact name="Expires in">
        <span class={`countdown ${tone}`} role="timer">
          {model.isGone.value || left <= 0 ? 'over' : countdown(left)}
        </span>
        <div class="life">
          <div class={`life-left ${tone}`} style={{ width: `${model.isGone.value ? 0 : share * 100}%` }} />
        </div>
      </Fact>
      {status === null ? null : (
        <Fact name="Status">
          <span class={`chip status-${status}`}>{printable(status)}</span>
        </Fact>
      )}
      <Fact name="Owner">
        <button
          type="button"
          class="link ellipsis"
          title="List all of this owner"
          onClick={() => reload({ principal, search: '' })}
        >
          {principal === null ? 'nobody' : printable(principal)}
        </button>
      </Fact>
      <Fact name="Client">{client === null ? '–' : printable(client)}</Fact>
      <Fact name="Protocol">{protocolVersion === null ? '–' : printable(protocolVersion)}</Fact>
      <Fact name="Last active">{span(Math.max(0, now.value - lastActiveAt))} ago</Fact>
      <Fact name="Age">{span(Math.max(0, now.value - createdAt))}</Fact>
    </dl>
  );
}

function Fact({ name, children }: { readonly name: string; readonly children: ComponentChildren }): preact.JSX.Element {
  return (
    <div class="fact">
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
