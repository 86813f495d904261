import { useComputed, useSignalEffect } from '@preact/signals';
import { createRef } from 'preact';
import type { ShownEvent } from './api.ts';
import { EventPanel } from './event-panel.tsx';
import { explain, streamMeaning, streamName } from './explain.ts';
import { clock, number, printable } from './format.ts';
import { Icon } from './icons.tsx';
import type { Lanes } from './lanes.ts';
import type { LogModel } from './log-model.ts';
import { moved, VirtualList, type ListHandle } from './virtual.tsx';

const ROW_HEIGHT = 30;
const LANE_WIDTH = 14;
const list = createRef<ListHandle>();

const WORDS = { connecting: 'connecting', live: 'live', lost: 'connection lost', over: 'ended' } as const;

export function Timeline({ log }: { readonly log: LogModel }): preact.JSX.Element {
  const count = log.count.value;
  const lanes = log.lanes.value;
  const select = (row: number): void => {
    const event = log.at(row);
    if (event === undefined) return;
    log.chosen.value = event.seq;
    list.current?.reveal(row);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const { value: chosen } = log.chosen;
    const from = chosen === undefined ? count : log.rowOf(chosen);
    const next = moved(event, from, count, list.current?.rowsPerPage() ?? 10);
    if (next === undefined) return;
    list.current?.reveal(next);
    select(next);
  };
  // A panel that opens makes the list smaller.
  useSignalEffect(() => {
    const { value: chosen } = log.chosen;
    if (chosen !== undefined) requestAnimationFrame(() => list.current?.reveal(log.rowOf(chosen)));
  });
  return (
    <div class="timeline">
      <Bar log={log} />
      {count === 0 ? (
        <p class="empty">{log.state.value === 'connecting' ? 'Reading…' : 'The log is empty.'}</p>
      ) : (
        <VirtualList
          key={log.stream.value ?? ''}
          count={count}
          rowHeight={ROW_HEIGHT}
          row={(index) => <Row key={index} log={log} index={index} lanes={lanes} onPick={() => select(index)} />}
          onRange={(from, to) => log.need(from, to)}
          sticksToEnd={log.stream.value === undefined}
          handle={list}
          label="Events"
          active={log.chosen.value === undefined ? undefined : `event-${log.chosen.value}`}
          onKeyDown={onKeyDown}
        />
      )}
      {log.chosen.value === undefined ? null : <EventPanel key={log.chosen.value} log={log} seq={log.chosen.value} />}
    </div>
  );
}

function Bar({ log }: { readonly log: LogModel }): preact.JSX.Element {
  const { value: streamId } = log.stream;
  const trimmed = log.firstSeq.value - 1;
  return (
    <div class="bar">
      <span class={`live live-${log.state.value}`} title={log.failure.value}>
        <span class="pulse" />
        {WORDS[log.state.value]}
      </span>
      {streamId === undefined ? (
        <span class="quiet ellipsis legend">
          one lane per stream{trimmed > 0 ? ` · ${number(trimmed)} older events were trimmed` : ''}
        </span>
      ) : (
        <span class="filter-chip" title={streamMeaning(streamId)}>
          <span class="ellipsis">only {printable(streamName(streamId))}</span>
          <button type="button" class="icon-button" aria-label="All streams" onClick={() => log.show(undefined)}>
            <Icon name="close" />
          </button>
        </span>
      )}
      <span class="spring" />
      {log.failure.value === undefined ? null : <span class="failure ellipsis">{log.failure.value}</span>}
    </div>
  );
}

interface RowProps {
  readonly log: LogModel;
  readonly index: number;
  readonly lanes: Lanes;
  readonly onPick: () => void;
}

function Row({ log, index, lanes, onPick }: RowProps): preact.JSX.Element {
  const event = log.at(index);
  const isChosen = useComputed(() => event !== undefined && log.chosen.value === event.seq);
  if (event === undefined) return <div class="event loading" />;
  const { kind, title, detail } = explain(event);
  return (
    <div
      id={`event-${event.seq}`}
      role="option"
      aria-selected={isChosen.value}
      class={`event kind-${kind}${isChosen.value ? ' selected' : ''}`}
      onClick={onPick}
    >
      <span class="seq">{event.seq}</span>
      <span class="time">{clock(event.createdAt)}</span>
      <LaneCell event={event} lanes={lanes} />
      <Icon name={kind} />
      <span class="event-title">{printable(title)}</span>
      <span class="event-detail">{printable(detail)}</span>
      <span class="event-stream">{printable(streamName(event.streamId))}</span>
    </div>
  );
}

/** The lanes in one row: those that pass, and the event on its own. */
function LaneCell({ event, lanes }: { readonly event: ShownEvent; readonly lanes: Lanes }): preact.JSX.Element {
  const row = lanes.rows.get(event.seq);
  const width = lanes.count * LANE_WIDTH;
  const middle = ROW_HEIGHT / 2;
  const x = (lane: number): number => lane * LANE_WIDTH + LANE_WIDTH / 2;
  return (
    <svg class="lanes" width={width} height={ROW_HEIGHT} viewBox={`0 0 ${width} ${ROW_HEIGHT}`} aria-hidden="true">
      {row?.above.map((lane) => (
        <path key={`a${lane}`} class={`lane-${lane}`} d={`M${x(lane)} 0V${middle}`} />
      ))}
      {row?.below.map((lane) => (
        <path key={`b${lane}`} class={`lane-${lane}`} d={`M${x(lane)} ${middle}V${ROW_HEIGHT}`} />
      ))}
      {row === undefined ? null : <circle class={`dot-${row.lane}`} cx={x(row.lane)} cy={middle} r="4.2" />}
    </svg>
  );
}
