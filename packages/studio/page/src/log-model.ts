import { computed, signal, type ReadonlySignal } from '@preact/signals';
import { ApiError, call, follow, type ShownEvent } from './api.ts';
import { lanesOf, type Lanes } from './lanes.ts';

/** Numbers that are read together. */
const CHUNK = 200;
/** Chunks that are kept; those that were read first are forgotten. */
const MAX_CHUNKS = 100;
/** The delay before a lost connection is made again, in milliseconds. */
const RETRY_MS = 1_000;

export type LiveState = 'connecting' | 'live' | 'lost' | 'over';

interface LogListener {
  readonly onEvent: () => void;
  readonly onEnd: () => void;
}

/**
 * The log of a session: any part of it when it is looked at, and what is appended. With a stream,
 * only its events, from the first one on.
 */
export class LogModel {
  /** The stream that is shown alone; `undefined`: all. */
  readonly stream = signal<string | undefined>(undefined);
  readonly state = signal<LiveState>('connecting');
  readonly failure = signal<string | undefined>(undefined);
  /** The event that is shown whole. */
  readonly chosen = signal<number | undefined>(undefined);
  readonly firstSeq = signal(1);
  readonly lastSeq = signal(0);
  readonly #chunks = signal<ReadonlyMap<number, readonly ShownEvent[]>>(new Map());
  readonly #ofStream = signal<readonly ShownEvent[]>([]);
  readonly #hasMore = signal(false);
  readonly #loading = new Map<number, Promise<void>>();
  readonly #id: string;
  readonly #signal: AbortSignal;
  readonly #listener: LogListener;
  #newest: ShownEvent | undefined;
  #isOver = false;
  #isReadingStream = false;

  /** Rows of the list. */
  readonly count: ReadonlySignal<number> = computed(() =>
    this.stream.value === undefined
      ? Math.max(0, this.lastSeq.value - this.firstSeq.value + 1)
      : this.#ofStream.value.length + (this.#hasMore.value ? 1 : 0),
  );
  readonly lanes: ReadonlySignal<Lanes> = computed(() => {
    if (this.stream.value !== undefined) return lanesOf(this.#ofStream.value);
    const chunks = [...this.#chunks.value].toSorted(([one], [other]) => one - other);
    return lanesOf(chunks.flatMap(([, events]) => events));
  });

  constructor(id: string, stop: AbortSignal, listener: LogListener) {
    this.#id = id;
    this.#signal = stop;
    this.#listener = listener;
  }

  /** The event of a row; `undefined`: it is not loaded. */
  at(row: number): ShownEvent | undefined {
    if (this.stream.value !== undefined) return this.#ofStream.value[row];
    const seq = this.firstSeq.value + row;
    const chunk = this.#chunks.value.get(chunkOf(seq));
    return chunk?.find((event) => event.seq === seq);
  }

  rowOf(seq: number): number {
    if (this.stream.value === undefined) return seq - this.firstSeq.value;
    return this.#ofStream.value.findIndex((event) => event.seq === seq);
  }

  /** Loads what rows need. */
  need(from: number, to: number): void {
    if (this.stream.value !== undefined) {
      if (to >= this.#ofStream.value.length - 20 && this.#hasMore.value) void this.#loadStream();
      return;
    }
    const first = this.firstSeq.value;
    for (let chunk = chunkOf(first + from); chunk <= chunkOf(first + to); chunk++) void this.#loadChunk(chunk);
  }

  /** Shows one stream alone, or all. */
  show(streamId: string | undefined): void {
    this.stream.value = streamId;
    this.#ofStream.value = [];
    this.#hasMore.value = streamId !== undefined;
    if (streamId !== undefined) void this.#loadStream();
  }

  /** Reads where the log begins and ends, and follows it. */
  async start(): Promise<void> {
    let isFirst = true;
    while (!this.#signal.aborted) {
      try {
        if (isFirst) await this.#begin();
        isFirst = false;
        await this.#follow();
      } catch (error) {
        if (this.#signal.aborted) return;
        const code = error instanceof ApiError ? error.code : undefined;
        if (code === 'SESSION_NOT_FOUND') this.#over();
        // Trimmed below the newest event that this page knows.
        if (code === 'EVENTS_TRIMMED') isFirst = true;
        this.#fail(error);
      }
      if (this.#isOver) return;
      this.state.value = 'lost';
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  async #begin(): Promise<void> {
    const { lastSeq, trimmedSeq } = await call('events', { id: this.#id, limit: 1 }, this.#signal);
    this.firstSeq.value = trimmedSeq + 1;
    this.lastSeq.value = lastSeq;
    this.#chunks.value = new Map();
    if (lastSeq > trimmedSeq) await this.#loadChunk(chunkOf(lastSeq));
    this.#newest = this.#chunks.value.get(chunkOf(lastSeq))?.at(-1);
  }

  async #follow(): Promise<void> {
    for await (const frame of follow(this.#id, this.#newest?.id, this.#signal)) {
      if (frame.type === 'message') this.#append(frame.event);
      else if (frame.type === 'ready') this.state.value = 'live';
      else if (frame.type === 'failure') throw new ApiError(0, frame.code, frame.message);
      else this.#over();
      if (frame.type !== 'end') this.failure.value = undefined;
    }
  }

  #fail(error: unknown): void {
    if (!this.#signal.aborted) this.failure.value = error instanceof Error ? error.message : String(error);
  }

  #over(): void {
    this.#isOver = true;
    this.state.value = 'over';
    this.#listener.onEnd();
  }

  #append(event: ShownEvent): void {
    this.#newest = event;
    const chunk = chunkOf(event.seq);
    const known = this.#chunks.value.get(chunk);
    // A chunk that was never read is read when it is looked at.
    if (event.seq <= (known?.at(-1)?.seq ?? 0)) return;
    const begins = event.seq === chunk * CHUNK + 1 || event.seq === this.firstSeq.value;
    if ((known !== undefined && known.at(-1)?.seq === event.seq - 1) || begins) {
      this.#keep(chunk, [...(known ?? []), event]);
    }
    this.lastSeq.value = Math.max(this.lastSeq.value, event.seq);
    const { value: streamId } = this.stream;
    if (streamId === event.streamId && !this.#hasMore.value) this.#ofStream.value = [...this.#ofStream.value, event];
    this.#listener.onEvent();
  }

  #loadChunk(chunk: number): Promise<void> {
    const loading = this.#loading.get(chunk) ?? this.#readChunk(chunk).finally(() => this.#loading.delete(chunk));
    this.#loading.set(chunk, loading);
    return loading;
  }

  async #readChunk(chunk: number): Promise<void> {
    const start = Math.max(chunk * CHUNK, this.firstSeq.value - 1);
    const end = Math.min((chunk + 1) * CHUNK, this.lastSeq.value);
    const events = [...(this.#chunks.value.get(chunk) ?? [])];
    if (start >= end || events.length >= end - start) return;
    try {
      let after = start;
      events.length = 0;
      while (after < end) {
        const page = await call('events', { id: this.#id, afterSeq: after, limit: end - after }, this.#signal);
        events.push(...page.events);
        this.firstSeq.value = Math.max(this.firstSeq.value, page.trimmedSeq + 1);
        after = page.events.at(-1)?.seq ?? end;
      }
      const known = this.#chunks.value.get(chunk) ?? [];
      this.#keep(chunk, [...events, ...known.filter(({ seq }) => seq > (events.at(-1)?.seq ?? 0))]);
    } catch (error) {
      this.#fail(error);
    }
  }

  async #loadStream(): Promise<void> {
    const { value: streamId } = this.stream;
    if (streamId === undefined || this.#isReadingStream) return;
    this.#isReadingStream = true;
    try {
      const afterSeq = this.#ofStream.value.at(-1)?.seq ?? 0;
      const page = await call('events', { id: this.#id, streamId, afterSeq, limit: CHUNK }, this.#signal);
      if (this.stream.value !== streamId) return;
      this.#ofStream.value = [...this.#ofStream.value, ...page.events];
      this.#hasMore.value = page.more;
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#isReadingStream = false;
    }
  }

  #keep(chunk: number, events: readonly ShownEvent[]): void {
    const chunks = new Map(this.#chunks.value).set(chunk, events);
    for (const oldest of chunks.keys()) {
      if (chunks.size <= MAX_CHUNKS) break;
      if (oldest !== chunk) chunks.delete(oldest);
    }
    this.#chunks.value = chunks;
  }
}

function chunkOf(seq: number): number {
  return Math.floor((seq - 1) / CHUNK);
}
