import { SUBSCRIPTION_ID_META_KEY } from '@modelcontextprotocol/server';
import type { Task } from './task.ts';
import { toV2 } from './task-v2.ts';

/** How often a stream shows that it is alive, in milliseconds: as often as the SDK's. */
const KEEP_ALIVE_MS = 15_000;

/** An open stream that only listens to tasks. */
export interface Subscription {
  /** Ends it as the SDK ends its own. */
  end(): void;
}

/** A task of a stream. */
export interface FoundTask {
  readonly first: Task;
  readonly changes: AsyncGenerator<Task, void, undefined>;
}

/** What a stream is made of. */
export interface StreamParts {
  readonly id: string | number;
  readonly found: readonly FoundTask[];
  /**
   * Ends the stream without a result, as a lost connection does: its client listens again, with a
   * new token.
   */
  readonly signal: AbortSignal;
  /** The streams that only listen to tasks. */
  readonly open: Set<Subscription>;
  /** Ends the watches. */
  readonly onClosed: () => void;
}

/** Adds tasks to the stream with which the SDK has answered `subscriptions/listen`. */
export function openTaskStream(response: Response, parts: StreamParts): Response {
  const stream = new TaskStream(response, parts);
  return new Response(stream.body, { status: response.status, headers: response.headers });
}

class TaskStream implements Subscription {
  readonly body: ReadableStream<Uint8Array>;
  readonly #parts: StreamParts;
  readonly #reader: ReadableStreamDefaultReader<string>;
  readonly #frames: AsyncGenerator<string, void, undefined>;
  readonly #encoder = new TextEncoder();
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #keepAlive: NodeJS.Timeout | undefined;
  /** The result that ends a stream of which the SDK has nothing to deliver. */
  #result = '';
  #resume = (): void => undefined;
  #closed = false;

  constructor(response: Response, parts: StreamParts) {
    this.#parts = parts;
    this.#reader = (response.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream()).getReader();
    this.#frames = framesOf(this.#reader);
    this.body = new ReadableStream({
      start: (controller) => {
        this.#controller = controller;
        void this.#run();
      },
      pull: () => this.#resume(),
      cancel: () => this.#close(),
    });
    if (parts.signal.aborted) this.#close();
    else parts.signal.addEventListener('abort', () => this.#close(), { once: true });
  }

  end(): void {
    this.#send(this.#result);
    this.#close();
  }

  async #run(): Promise<void> {
    try {
      const { found, open } = this.#parts;
      const acknowledged = await this.#frames.next();
      const { frame, isOnlyTasks } = withTaskIds(
        acknowledged.value ?? '',
        found.map(({ first }) => first.taskId),
      );
      this.#send(frame);
      if (isOnlyTasks) {
        // The SDK ends a stream without a change of its own to deliver. This one goes on.
        this.#result = (await this.#frames.next()).value ?? '';
        // The client may have gone meanwhile.
        if (this.#closed) return;
        open.add(this);
        this.#keepAlive = setInterval(() => this.#send(': keepalive\n\n'), KEEP_ALIVE_MS).unref();
      }
      for (const task of found) void this.#deliver(task);
      if (isOnlyTasks) return;
      for await (const each of this.#frames) this.#send(each);
      this.#close();
    } catch {
      // The connection of the handler's own stream broke.
      this.#close();
    }
  }

  /** Sends a task and its changes. While the client does not read, changes become one. */
  async #deliver({ first, changes }: FoundTask): Promise<void> {
    try {
      for (let task: Task | undefined = first; task !== undefined;) {
        while (!this.#closed && (this.#controller?.desiredSize ?? 1) <= 0) await this.#drained();
        if (this.#closed) return;
        const params = { ...toV2(task), _meta: { [SUBSCRIPTION_ID_META_KEY]: this.#parts.id } };
        this.#send(frameOf({ jsonrpc: '2.0', method: 'notifications/tasks', params }));
        const next: IteratorResult<Task, void> = await changes.next();
        task = next.done === true ? undefined : next.value;
      }
    } catch {
      // The watch reports its errors itself.
      this.#close();
    }
  }

  #drained(): Promise<void> {
    return new Promise((resolve) => {
      const others = this.#resume;
      this.#resume = () => {
        this.#resume = () => undefined;
        others();
        resolve();
      };
    });
  }

  #send(frame: string): void {
    if (!this.#closed) this.#controller?.enqueue(this.#encoder.encode(frame));
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#keepAlive);
    this.#parts.open.delete(this);
    this.#parts.onClosed();
    this.#resume();
    // Also one whose task the client has not read: until its end, it listens.
    for (const { changes } of this.#parts.found) changes.return().catch(() => undefined);
    this.#reader.cancel().catch(() => undefined);
    try {
      this.#controller?.close();
    } catch {
      // The client has cancelled it.
    }
  }
}

/** The frames of an event stream, each with the empty line at its end. */
async function* framesOf(reader: ReadableStreamDefaultReader<string>): AsyncGenerator<string, void, undefined> {
  let text = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    text += value;
    const frames = text.split(/(?<=\n\n)/);
    text = frames.at(-1)?.endsWith('\n\n') === true ? '' : (frames.pop() ?? '');
    yield* frames;
  }
}

function frameOf(message: object): string {
  return `event: message\ndata: ${JSON.stringify(message)}\n\n`;
}

interface Acknowledged {
  readonly params: { readonly notifications: Readonly<Record<string, unknown>> };
}

/** Adds the tasks to the acknowledgement. @returns Also whether it has nothing else. */
function withTaskIds(frame: string, taskIds: readonly string[]) {
  const message = JSON.parse(/^data: (.*)$/m.exec(frame)?.[1] ?? '') as Acknowledged;
  const { notifications } = message.params;
  const params = { ...message.params, notifications: { ...notifications, taskIds } };
  return { frame: frameOf({ ...message, params }), isOnlyTasks: Object.keys(notifications).length === 0 };
}
