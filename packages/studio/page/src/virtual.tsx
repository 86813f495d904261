import { useSignal } from '@preact/signals';
import type { ComponentChildren, RefObject } from 'preact';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';

/** What can be done with a list from outside. */
export interface ListHandle {
  /** Makes a row visible. */
  reveal(row: number): void;
  /** Rows that fit into the list. */
  rowsPerPage(): number;
}

interface VirtualListProps {
  readonly count: number;
  /** In CSS pixels. */
  readonly rowHeight: number;
  readonly row: (index: number) => ComponentChildren;
  /** Is called with the rows that are visible, and some around them. */
  readonly onRange: (from: number, to: number) => void;
  /** Whether the list stays at its end when it grows. */
  readonly sticksToEnd?: boolean;
  readonly handle: { current: ListHandle | null };
  readonly label: string;
  /** The id of the element of the selected row. */
  readonly active?: string | undefined;
  readonly onKeyDown: (event: KeyboardEvent) => void;
}

/** Rows beyond the visible ones, on either side. */
const OVERSCAN = 10;

/** A list of any length, of which only the visible rows exist. */
export function VirtualList(props: VirtualListProps): preact.JSX.Element {
  const { count, rowHeight, row, onRange, sticksToEnd = false, handle, label, active, onKeyDown } = props;
  const element = useRef<HTMLDivElement>(null);
  const top = useSignal(0);
  const height = useSignal(600);
  const isAtEnd = useRef(true);
  const from = Math.max(0, Math.floor(top.value / rowHeight) - OVERSCAN);
  const to = Math.min(count, Math.ceil((top.value + height.value) / rowHeight) + OVERSCAN);

  handle.current = handleOf(element, rowHeight);
  const measure = (): void => {
    const list = element.current;
    if (list === null) return;
    top.value = list.scrollTop;
    height.value = list.clientHeight;
    isAtEnd.current = list.scrollTop + list.clientHeight >= list.scrollHeight - rowHeight;
  };
  useLayoutEffect(() => {
    const list = element.current;
    if (list === null) return undefined;
    const observer = new ResizeObserver(() => {
      if (sticksToEnd && isAtEnd.current) list.scrollTop = list.scrollHeight;
      measure();
    });
    observer.observe(list);
    return () => observer.disconnect();
  }, []);
  useLayoutEffect(() => {
    const list = element.current;
    if (list !== null && sticksToEnd && isAtEnd.current) list.scrollTop = list.scrollHeight;
    measure();
  }, [count]);
  useEffect(() => onRange(from, Math.max(from, to - 1)), [from, to, count]);

  return (
    <div
      class="virtual"
      ref={element}
      role="listbox"
      aria-label={label}
      aria-activedescendant={active}
      tabIndex={0}
      onScroll={measure}
      onKeyDown={onKeyDown}
    >
      <div class="virtual-space" style={{ height: `${count * rowHeight}px` }}>
        <div class="virtual-rows" style={{ transform: `translateY(${from * rowHeight}px)` }}>
          {Array.from({ length: Math.max(0, to - from) }, (_, index) => row(from + index))}
        </div>
      </div>
    </div>
  );
}

/** Moves a selection by a key; `undefined`: the key is no such key. */
export function moved(event: KeyboardEvent, selected: number, count: number, page: number): number | undefined {
  if (event.ctrlKey || event.metaKey || event.altKey) return undefined;
  const steps: Readonly<Record<string, number>> = {
    ArrowDown: 1,
    j: 1,
    ArrowUp: -1,
    k: -1,
    PageDown: page,
    PageUp: -page,
    Home: -Infinity,
    End: Infinity,
  };
  const step = steps[event.key];
  if (step === undefined || count === 0) return undefined;
  event.preventDefault();
  return Math.min(count - 1, Math.max(0, selected + step));
}

function handleOf(element: RefObject<HTMLDivElement | null>, rowHeight: number): ListHandle {
  return {
    reveal: (index) => {
      const list = element.current;
      if (list === null) return;
      const start = index * rowHeight;
      if (start < list.scrollTop) list.scrollTop = start;
      else if (start + rowHeight > list.scrollTop + list.clientHeight) {
        list.scrollTop = start + rowHeight - list.clientHeight;
      }
    },
    rowsPerPage: () => Math.max(1, Math.floor((element.current?.clientHeight ?? 600) / rowHeight) - 1),
  };
}
