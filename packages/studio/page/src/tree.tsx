import { useSignal } from '@preact/signals';
import { printable } from './format.ts';

/** Entries of an object or an array that are shown before "show more". */
const STEP = 100;
/** Characters of a string that are shown before it is opened. */
const LONG = 300;

/** The value of a JSON text, which the studio wrote. */
export function parsed(text: string): unknown {
  return JSON.parse(text) as unknown;
}

interface NodeProps {
  /** Name in its parent; `undefined` for the root. */
  readonly name?: string;
  readonly value: unknown;
  /** Levels that are open at first. */
  readonly levels: number;
}

/** A JSON value as a tree. Nothing of it becomes markup, and no character of it is hidden. */
export function Tree({ name, value, levels }: NodeProps): preact.JSX.Element {
  if (typeof value === 'object' && value !== null) return <Branch name={name} value={value} levels={levels} />;
  return (
    <div class="leaf">
      <Name name={name} />
      <Leaf value={value} />
    </div>
  );
}

function Name({ name }: { readonly name: string | undefined }): preact.JSX.Element | null {
  return name === undefined ? null : <span class="key">{printable(name)}</span>;
}

function Leaf({ value }: { readonly value: unknown }): preact.JSX.Element {
  const isOpen = useSignal(false);
  if (typeof value !== 'string') {
    return <span class={`json-${value === null ? 'null' : typeof value}`}>{String(value)}</span>;
  }
  const text = value.length > LONG && !isOpen.value ? value.slice(0, LONG) : value;
  return (
    <span class="json-string">
      "{printable(text)}
      {text.length < value.length ? (
        <button type="button" class="more" onClick={() => (isOpen.value = true)}>
          … {value.length - LONG} more
        </button>
      ) : null}
      "
    </span>
  );
}

function Branch({
  name,
  value,
  levels,
}: {
  name: string | undefined;
  value: object;
  levels: number;
}): preact.JSX.Element {
  const isOpen = useSignal(levels > 0);
  const limit = useSignal(STEP);
  const isList = Array.isArray(value);
  const entries = Object.entries(value) as [string, unknown][];
  const [before, after] = isList ? ['[', ']'] : ['{', '}'];
  if (entries.length === 0) {
    return (
      <div class="leaf">
        <Name name={name} />
        <span class="json-null">{`${before}${after}`}</span>
      </div>
    );
  }
  return (
    <div class="branch">
      <button type="button" class="twist" aria-expanded={isOpen.value} onClick={() => (isOpen.value = !isOpen.value)}>
        <Name name={name} />
        <span class="hint">
          {isList ? `${entries.length} ${entries.length === 1 ? 'item' : 'items'}` : preview(entries)}
        </span>
      </button>
      {isOpen.value ? (
        <div class="children">
          {entries.slice(0, limit.value).map(([key, child]) => (
            <Tree key={key} name={key} value={child} levels={levels - 1} />
          ))}
          {entries.length > limit.value ? (
            <button type="button" class="more" onClick={() => (limit.value += STEP * 5)}>
              show {Math.min(STEP * 5, entries.length - limit.value)} more of {entries.length - limit.value}
            </button>
          ) : null}
        </div>
      ) : null}
    </div>
  );
}

function preview(entries: readonly (readonly [string, unknown])[]): string {
  const names = entries.slice(0, 4).map(([key]) => printable(key.slice(0, 24)));
  return `{ ${names.join(', ')}${entries.length > 4 ? ', …' : ''} }`;
}
