import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { haunt } from './chaos-ghost.ts';
import type { StoreAddress } from './chaos-store.ts';
import type { Line, TestClient } from './line.ts';
import { startProxy } from './proxy.ts';

/** What a chaos run saw. */
export interface ChaosReport {
  readonly calls: number;
  readonly kills: number;
  readonly cuts: number;
  /** Calls that ended with an error while a node was killed. */
  readonly interrupted: number;
  readonly notifications: number;
  /** How often a client read from the connection that it had taken its own stream from. */
  readonly takeovers: number;
  /** What must not happen, in words. */
  readonly violations: string[];
  /** What the nodes reported. */
  readonly errors: string[];
}

/** When a node was killed. */
interface Kill {
  readonly from: number;
  to: number;
}

const NODES = 3;
const KILL_EVERY_MS = 3_000;
const CUT_EVERY_MS = 700;

/**
 * Runs real clients against three processes behind a proxy, and kills one of them every few
 * seconds.
 */
export async function runChaos(
  line: Line,
  store: StoreAddress,
  ms: number,
  clientLines: readonly Line[],
): Promise<ChaosReport> {
  const report = {
    calls: 0,
    kills: 0,
    cuts: 0,
    interrupted: 0,
    notifications: 0,
    takeovers: 0,
    violations: [] as string[],
    errors: [] as string[],
  };
  const nodes = await Promise.all(Array.from({ length: NODES }, () => startNode(line, store, report.errors)));
  const proxy = await startProxy(() => nodes.map(({ port }) => port));
  const kills: Kill[] = [];
  const until = performance.now() + ms;
  const over = (): boolean => performance.now() >= until;
  try {
    const players = await Promise.all(
      [...clientLines, ...clientLines].map((each, index) =>
        Player.connect(each, proxy.url, `${each.name}-${index}`, report, kills),
      ),
    );
    const killer = async (): Promise<void> => {
      while (!over()) {
        await pause(KILL_EVERY_MS);
        const index = Math.floor(Math.random() * NODES);
        const kill = { from: performance.now(), to: Number.POSITIVE_INFINITY };
        kills.push(kill);
        report.kills++;
        await nodes[index]?.kill();
        kill.to = performance.now();
        nodes[index] = await startNode(line, store, report.errors);
      }
    };
    const cutter = async (): Promise<void> => {
      while (!over()) {
        await pause(CUT_EVERY_MS);
        proxy.cut(0.3);
        report.cuts++;
      }
    };
    const ghost = async (): Promise<void> => {
      report.takeovers = await haunt(proxy.url, over, report.violations);
    };
    await Promise.all([killer(), cutter(), ghost(), ...players.map((player) => player.play(over))]);
    for (const player of players) await player.finish();
    return report;
  } finally {
    await Promise.all(nodes.map((node) => node.kill()));
    await proxy.close();
  }

  async function startNode(
    on: Line,
    address: StoreAddress,
    errors: string[],
  ): Promise<{ port: number; kill(): Promise<void> }> {
    const file = fileURLToPath(new URL('chaos-node.ts', import.meta.url));
    const child: ChildProcess = spawn(
      process.execPath,
      ['--conditions=@mcp-session/source', file, on.name, JSON.stringify(address)],
      { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] },
    );
    const [{ port }] = (await once(child, 'message')) as [{ port: number }];
    child.on('message', (message) => errors.push((message as { error: string }).error));
    return {
      port,
      kill: async () => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const exited = once(child, 'exit');
        child.kill('SIGKILL');
        await exited;
      },
    };
  }
}

/** A client that does one thing after the other, and knows what it must get. */
class Player {
  readonly #client: TestClient;
  readonly #tag: string;
  readonly #report: ChaosReport & { calls: number; interrupted: number; notifications: number };
  readonly #kills: readonly Kill[];
  readonly #said: string[] = [];
  readonly #added: string[] = [];
  #n = 0;

  private constructor(client: TestClient, tag: string, report: ChaosReport, kills: readonly Kill[]) {
    this.#client = client;
    this.#tag = tag;
    this.#report = report;
    this.#kills = kills;
  }

  static async connect(
    line: Line,
    url: URL,
    tag: string,
    report: ChaosReport,
    kills: readonly Kill[],
  ): Promise<Player> {
    const mine = (asked: string): string => (asked.startsWith(`${tag} `) ? asked : `not for ${tag}: ${asked}`);
    const client = await line.connect(url, {
      onElicit: (asked) => ({ answer: mine(asked) }),
      onSample: mine,
    });
    return new Player(client, tag, report, kills);
  }

  async play(over: () => boolean): Promise<void> {
    while (!over()) {
      const what = `${this.#tag} ${++this.#n}`;
      await this.#expect('ask', { what }, JSON.stringify({ answer: what }));
      await this.#expect('sample', { what }, what);
      await Promise.all([this.#count(15), this.#say(what), this.#add(what)]);
      await this.#cancel();
      await Promise.all([
        this.#say(`${what} a`),
        this.#say(`${what} b`, this.#n % 3 === 0),
        this.#expect('poll', { what }, what),
        this.#expect('ask', { what }, JSON.stringify({ answer: what })),
      ]);
    }
  }

  /** Sees that everything has come that had to. */
  async finish(): Promise<void> {
    const heard = (): string[] => this.#client.received.map(({ params }) => String(params['data']));
    for (let tries = 0; tries < 300 && !this.#said.every((what) => heard().includes(what)); tries++) await pause(50);
    const all = heard();
    this.#report.notifications += all.length;
    for (const what of this.#said) if (!all.includes(what)) this.#violation(`was not told ${what}`);
    for (const what of all) if (!what.startsWith(`${this.#tag} `)) this.#violation(`got ${what}`);
    if (new Set(all).size < all.length) {
      this.#violation(`got twice ${all.filter((what, i) => all.indexOf(what) < i).join(', ')}`);
    }
    const notes = JSON.parse((await this.#call('add', { note: 'last' })) ?? '[]') as string[];
    for (const note of this.#added) {
      if (notes.filter((each) => each === note).length !== 1) this.#violation(`has not once ${note}`);
    }
    await this.#client.close();
  }

  async #expect(tool: string, args: Record<string, unknown>, expected: string): Promise<void> {
    const answer = await this.#call(tool, args);
    if (answer !== undefined && answer !== expected) this.#violation(`${tool} got ${answer}, not ${expected}`);
  }

  async #say(what: string, close = false): Promise<void> {
    if ((await this.#call('say', { what, close })) !== undefined) this.#said.push(what);
  }

  async #add(note: string): Promise<void> {
    if ((await this.#call('add', { note })) !== undefined) this.#added.push(note);
  }

  async #count(to: number): Promise<void> {
    const seen: number[] = [];
    const answer = await this.#call('count', { to }, (n) => seen.push(n));
    const whole = answer === undefined ? seen.length : to;
    if (seen.length !== whole || seen.some((n, index) => n !== index + 1)) {
      this.#violation(`progress was ${seen.join(' ')}`);
    }
  }

  async #cancel(): Promise<void> {
    const abort = new AbortController();
    const begun = performance.now();
    setTimeout(() => abort.abort('enough'), 30);
    await this.#client.call('wait', {}, { signal: abort.signal }).catch(() => undefined);
    if (performance.now() - begun > 4_000) this.#violation('a cancelled call went on');
  }

  /** @returns `undefined` where it was interrupted by a kill. */
  async #call(
    tool: string,
    args: Record<string, unknown>,
    onProgress?: (n: number) => void,
  ): Promise<string | undefined> {
    const begun = performance.now();
    this.#report.calls++;
    try {
      return await this.#client.call(tool, args, onProgress === undefined ? {} : { onProgress });
    } catch (error) {
      this.#report.interrupted++;
      if (!this.#kills.some(({ from, to }) => to >= begun && from <= performance.now())) {
        this.#violation(`${tool} failed without a kill: ${String(error)}`);
      }
      return undefined;
    }
  }

  #violation(what: string): void {
    this.#report.violations.push(`${this.#tag} ${what}`);
  }
}
