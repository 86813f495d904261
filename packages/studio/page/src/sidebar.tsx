import { createRef } from 'preact';
import { kindWords } from './explain.ts';
import type { SessionFacts } from './api.ts';
import { number, printable, shortId, span } from './format.ts';
import { Icon } from './icons.tsx';
import { filter, isLoading, need, nextCursor, reload, rows, scanned, selected } from './list-model.ts';
import { about, countKinds, dialog, kinds, now } from './model.ts';
import { open, openSession } from './session-model.ts';
import { moved, VirtualList, type ListHandle } from './virtual.tsx';

const ROW_HEIGHT = 58;
const list = createRef<ListHandle>();

let typing: ReturnType<typeof setTimeout> | undefined;

function search(text: string): void {
  clearTimeout(typing);
  typing = setTimeout(() => reload({ search: text }), 180);
}

function select(row: number): void {
  selected.value = row;
  list.current?.reveal(row);
}

function onKeyDown(event: KeyboardEvent): void {
  const next = moved(event, selected.value, rows.value.length, list.current?.rowsPerPage() ?? 10);
  if (next !== undefined) select(next);
  const chosen = rows.value[selected.value];
  if (event.key === 'Enter' && chosen !== undefined) openSession(chosen);
}

export function Sidebar(): preact.JSX.Element {
  return (
    <nav class="sidebar" aria-label="Sessions">
      <Filters />
      <Status />
      <VirtualList
        count={rows.value.length}
        rowHeight={ROW_HEIGHT}
        row={(index) => <Row key={rows.value[index]?.id ?? index} index={index} />}
        onRange={(_, to) => need(to + 100)}
        handle={list}
        label="Sessions"
        active={rows.value.length > 0 ? `session-${selected.value}` : undefined}
        onKeyDown={onKeyDown}
      />
    </nav>
  );
}

function Filters(): preact.JSX.Element {
  return (
    <div class="filters">
      <Search />
      <Selects />
      {filter.value.principal === undefined ? null : <OfPrincipal principal={filter.value.principal} />}
    </div>
  );
}

function Search(): preact.JSX.Element {
  return (
    <label class="search">
      <Icon name="search" />
      <input
        id="search"
        type="search"
        placeholder="Search id, owner, client, metadata"
        aria-label="Search"
        autocomplete="off"
        spellcheck={false}
        onInput={(event) => search(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key !== 'Enter' && event.key !== 'ArrowDown') return;
          event.preventDefault();
          document.querySelector<HTMLElement>('.sidebar .virtual')?.focus();
        }}
      />
      <kbd>/</kbd>
    </label>
  );
}

function Selects(): preact.JSX.Element {
  const { kind, ageMs } = filter.value;
  const known = kinds.value ?? [];
  const names = [...new Set(['session', ...known.map((each) => each.kind), kind])];
  const countOf = (name: string): number | undefined => known.find((each) => each.kind === name)?.count;
  return (
    <div class="selects">
      <select aria-label="Kind" value={kind} onChange={(event) => reload({ kind: event.currentTarget.value })}>
        {names.map((name) => (
          <option key={name} value={name}>
            {kindWords(name).name}
            {countOf(name) === undefined ? '' : ` (${number(countOf(name) ?? 0)})`}
          </option>
        ))}
      </select>
      <select
        aria-label="Where the list begins"
        value={String(ageMs)}
        onChange={(event) => reload({ ageMs: Number(event.currentTarget.value) })}
      >
        <option value="0">oldest first</option>
        <option value="86400000">from 24 hours ago</option>
        <option value="3600000">from 1 hour ago</option>
        <option value="300000">from 5 minutes ago</option>
      </select>
      <button
        type="button"
        class="icon-button"
        title="Read again (r)"
        aria-label="Read again"
        onClick={() => {
          reload();
          void countKinds();
        }}
      >
        <Icon name="refresh" />
      </button>
    </div>
  );
}

function OfPrincipal({ principal }: { readonly principal: string | null }): preact.JSX.Element {
  return (
    <div class="filter-chip">
      <span class="ellipsis">of {principal === null ? 'nobody' : printable(principal)}</span>
      {about.value?.readOnly === false ? (
        <button type="button" class="link danger" onClick={() => (dialog.value = 'end-all')}>
          End all…
        </button>
      ) : null}
      <button type="button" class="icon-button" aria-label="Of anyone" onClick={() => reload({ principal: undefined })}>
        <Icon name="close" />
      </button>
    </div>
  );
}

function Status(): preact.JSX.Element {
  const { kind, principal, search: text, ageMs } = filter.value;
  const total = kinds.value?.find((each) => each.kind === kind)?.count;
  const shown = rows.value.length;
  const isComplete = nextCursor.value === null;
  const isFiltered = text !== '' || principal !== undefined || ageMs > 0;
  const isUnknown = nextCursor.value === undefined && !isLoading.value;
  const words = isUnknown
    ? 'Not read yet'
    : text === ''
      ? isComplete || total === undefined || isFiltered
        ? `${number(shown)}${isComplete ? '' : '+'} live`
        : `${number(total)} live`
      : `${number(shown)} found${isLoading.value ? `, ${number(scanned.value)} searched` : isComplete ? '' : ' so far'}`;
  return (
    <p class="status" aria-live="polite">
      {shown === 0 && isComplete ? `No live ${text === '' ? 'session of this kind' : 'session matches'}` : words}
      {isLoading.value ? <span class="spinner" /> : null}
    </p>
  );
}

function Row({ index }: { readonly index: number }): preact.JSX.Element | null {
  const row = rows.value[index];
  if (row === undefined) return null;
  const left = row.expiresAt - now.value;
  const isOpen = open.value?.id === row.id;
  const pick = (): void => {
    selected.value = index;
    openSession(row);
  };
  return (
    <div
      id={`session-${index}`}
      role="option"
      aria-selected={isOpen}
      class={`row${index === selected.value ? ' selected' : ''}${isOpen ? ' open' : ''}${left <= 0 ? ' over' : ''}`}
      onClick={pick}
    >
      <div class="row-line">
        <code class="ellipsis">{shortId(row.id)}</code>
        {row.status === null ? null : <span class={`chip status-${row.status}`}>{printable(row.status)}</span>}
        <span class="spring" />
        <Life row={row} left={left} />
        <span class="quiet nowrap left">{left <= 0 ? 'expired' : left > 1e13 ? 'no end' : span(left)}</span>
      </div>
      <div class="row-line second">
        <Owner row={row} />
        <span class="ellipsis quiet">{row.client === null ? '' : printable(row.client)}</span>
        <span class="spring" />
        <span class="quiet nowrap">{row.events === 0 ? '' : `${number(row.events)} ev`}</span>
      </div>
    </div>
  );
}

function Owner({ row: { principal } }: { readonly row: SessionFacts }): preact.JSX.Element {
  return principal === null ? (
    <span class="owner quiet">nobody</span>
  ) : (
    <span class="owner ellipsis">{printable(principal)}</span>
  );
}

/** How much of its life the session has left since it was last used. */
function Life({ row, left }: { readonly row: SessionFacts; readonly left: number }): preact.JSX.Element {
  const share = Math.max(0, Math.min(1, left / Math.max(1, row.expiresAt - row.lastActiveAt)));
  const tone = share < 0.1 ? 'low' : share < 0.35 ? 'mid' : 'high';
  return (
    <div class="life">
      <div class={`life-left ${tone}`} style={{ width: `${share * 100}%` }} />
    </div>
  );
}
