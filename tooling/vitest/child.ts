import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** A process that runs a module of a test from its TypeScript sources, on the Node of the test. */
export class Child {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #closed: Promise<unknown[]>;
  readonly #lines: AsyncIterator<string>;
  #stderr = '';

  /** `command`: what runs the module. Default: Node itself. */
  constructor(module: URL, args: readonly string[], command: readonly string[] = [process.execPath]) {
    const [program = '', ...before] = command;
    this.#process = spawn(program, [...before, '--conditions=@mcp-session/source', fileURLToPath(module), ...args]);
    this.#closed = once(this.#process, 'close');
    this.#process.stderr.setEncoding('utf8').on('data', (text: string) => (this.#stderr += text));
    // A process that was killed cannot be told anything any more.
    this.#process.stdin.on('error', () => {});
    this.#lines = createInterface(this.#process.stdout)[Symbol.asyncIterator]();
  }

  /** The next line of its output; `undefined` after the last. */
  async line(): Promise<string | undefined> {
    const next = await this.#lines.next();
    return next.done === true ? undefined : next.value;
  }

  /** All lines that are left. */
  async lines(): Promise<string[]> {
    const lines: string[] = [];
    for (let line = await this.line(); line !== undefined; line = await this.line()) lines.push(line);
    return lines;
  }

  /** Sends a line to its input. */
  tell(line: string): void {
    this.#process.stdin.write(`${line}\n`);
  }

  kill(): void {
    this.#process.kill('SIGKILL');
  }

  /** Waits for its end, and fails with what it wrote to stderr unless it exits with 0. */
  async succeed(): Promise<void> {
    this.#process.stdin.end();
    const [code, signal] = await this.#closed;
    if (code !== 0) throw new Error(`The child process ended with ${String(code ?? signal)}: ${this.#stderr}`);
  }
}
