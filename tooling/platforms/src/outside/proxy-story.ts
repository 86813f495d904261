import { setTimeout as pause } from 'node:timers/promises';
import type { RecordedStep } from '../tables/recorded.ts';
import { terminated } from './deploy-story.ts';
import { type Caller, type Connect, lines } from './lines.ts';
import { allUp, type Proxied, type ProxiedNode } from './nodes.ts';

/** nginx cuts a connection that is silent for a minute. */
const IDLE_MS = 70_000;
/**
 * What a report may take from the tool to the client. With a proxy that buffers, the first takes 2
 * s.
 */
const LATE_MS = 1_000;
const BIG = 3_000_000;

/** Plays the story of a proxy with the clients of both SDK lines. */
export async function playProxied(proxied: Proxied): Promise<RecordedStep[]> {
  const played = Object.entries(lines).map(async ([line, connect]) => ({ line, step: await idle(proxied, connect) }));
  const steps = new Map<string, RecordedStep>();
  const add = (line: string, { step, ok, note }: RecordedStep): void => {
    const before = steps.get(step);
    const notes = [before?.note, `${line}: ${note}`].filter((each) => each !== undefined && each !== '');
    steps.set(step, { step, ok: ok && (before?.ok ?? true), note: notes.join('; ') });
  };
  // The first, because the others kill what it needs.
  for (const { line, step } of await Promise.all(played)) add(line, step);
  for (const [line, connect] of Object.entries(lines)) {
    const caller = await connect(proxied.url);
    for (const play of [turns, bigCall, progress, killed, standalone, notRepeated, terminated]) {
      add(line, await play(proxied, caller));
      await allUp(proxied);
    }
    await caller.close();
  }
  return [...steps.values()];
}

/** A standalone stream on which nothing happens for longer than the proxy waits for data. */
async function idle({ url, nodes }: Proxied, connect: Connect): Promise<RecordedStep> {
  const caller = await connect(url);
  await pause(1_000);
  const before = getsOf(nodes);
  await pause(IDLE_MS);
  const again = getsOf(nodes) - before;
  await caller.call('announce');
  const ms = await until(() => caller.heard() > 0);
  await caller.close();
  const ok = again === 0 && ms !== undefined;
  return {
    step: 'a GET that is idle for 70 s',
    ok,
    note: `opened again ${again} times, then a notification in ${ms} ms`,
  };
}

async function turns({ nodes }: Proxied, caller: Caller): Promise<RecordedStep> {
  const seen = new Set<string>();
  for (let call = 0; call < 8; call++) seen.add(await caller.call('where'));
  return { step: 'one session on both nodes', ok: seen.size === nodes.length, note: `${seen.size} nodes in 8 calls` };
}

async function bigCall(_: Proxied, caller: Caller): Promise<RecordedStep> {
  const answer = await caller.call('measure', { text: 'x'.repeat(BIG) }).catch(String);
  return { step: 'a call of 3 MB', ok: answer === String(BIG), note: answer };
}

async function progress(_: Proxied, caller: Caller): Promise<RecordedStep> {
  const late: number[] = [];
  await caller.call('report', { chapters: 10, delayMs: 200 }, ({ message }) => late.push(Date.now() - Number(message)));
  const worst = Math.max(...late);
  return {
    step: 'progress at once',
    ok: late.length === 10 && worst < LATE_MS,
    note: `${late.length} of 10 reports, at most ${worst} ms late`,
  };
}

/**
 * The node that runs a call is killed, and the client comes back to the other one. Each node is
 * killed twice, as soon as the other one is back.
 */
async function killed(proxied: Proxied, caller: Caller): Promise<RecordedStep> {
  const outcomes: string[] = [];
  let ok = true;
  for (const node of [...proxied.nodes, ...proxied.nodes]) {
    await untilNextIs(proxied, caller, node);
    const seen: number[] = [];
    const outcome = caller
      .call('report', { chapters: 100, delayMs: 100 }, (report) => seen.push(report.progress))
      .catch(String);
    await until(() => seen.length >= 3);
    const began = performance.now();
    await node.end();
    const answer = await outcome;
    ok &&= answer.includes('was interrupted') && seen.every((number, index) => number === index + 1);
    outcomes.push(`${answer.split(': ').at(-1) ?? ''} after ${secondsSince(began)} s`);
    await allUp(proxied);
  }
  return { step: 'kill -9 and resume', ok, note: [...new Set(outcomes)].join(', ') };
}

/** Each node is killed: the standalone stream is on one of them. */
async function standalone(proxied: Proxied, caller: Caller): Promise<RecordedStep> {
  const times: string[] = [];
  for (const node of proxied.nodes) {
    const before = caller.heard();
    await node.end();
    const began = performance.now();
    let failed = 0;
    while (!(await succeeds(caller.call('announce')))) failed++;
    const heard = await until(() => caller.heard() > before);
    times.push(heard === undefined ? 'lost' : `${secondsSince(began)} s, ${failed} calls failed`);
    await allUp(proxied);
  }
  return { step: 'the standalone stream after kill -9', ok: !times.includes('lost'), note: times.join(', ') };
}

/** A POST of which the proxy has seen no byte of an answer when its node dies. */
async function notRepeated(proxied: Proxied, caller: Caller): Promise<RecordedStep> {
  const before = Number(await caller.call('runs'));
  const status = await killWhileItRuns(proxied, caller);
  const runs = Number(await caller.call('runs')) - before;
  return { step: 'a POST that ran is not sent again', ok: runs === 1, note: `ran ${runs} times, answer ${status}` };
}

/**
 * That the step before this one can fail: a setting that the documents warn of sends the call
 * again.
 */
export async function playRepeated(proxied: Proxied): Promise<RecordedStep> {
  const caller = await lines['SDK v2'](proxied.url);
  const status = await killWhileItRuns(proxied, caller);
  const runs = Number(await caller.call('runs'));
  await caller.close();
  return { step: 'the warning about `non_idempotent`', ok: runs === 2, note: `ran ${runs} times, answer ${status}` };
}

/**
 * Calls a tool as a client that takes only JSON, kills its node, and returns the status of the
 * answer.
 */
async function killWhileItRuns({ url, nodes }: Proxied, { sessionId }: Caller): Promise<number> {
  const running = nextRun(nodes);
  const answer = fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json', 'mcp-session-id': sessionId },
    body: JSON.stringify({ jsonrpc: '2.0', id: 'raw', method: 'tools/call', params: { name: 'run_once' } }),
    signal: AbortSignal.timeout(20_000),
  }).then(
    ({ status }) => status,
    () => 0,
  );
  await (await running).end();
  // Long enough for a second run to begin. Its node is killed too.
  await pause(1_000);
  for (const node of nodes) await node.end();
  await allUp({ nodes });
  return answer;
}

/** Calls until the next call goes to a node: they go to the nodes in turn. */
async function untilNextIs({ nodes }: Proxied, caller: Caller, node: ProxiedNode): Promise<void> {
  for (;;) {
    const running = nextRun(nodes);
    await caller.call('report', { chapters: 0, delayMs: 0 });
    if ((await running) !== node) return;
  }
}

function succeeds(call: Promise<unknown>): Promise<boolean> {
  return call.then(
    () => true,
    () => false,
  );
}

function nextRun(nodes: readonly ProxiedNode[]): Promise<ProxiedNode> {
  return new Promise((resolve) => {
    for (const node of nodes) node.onRun = () => resolve(node);
  });
}

function getsOf(nodes: readonly ProxiedNode[]): number {
  return nodes.reduce((sum, { gets }) => sum + gets, 0);
}

/** Waits for a condition, and returns how long it took, in milliseconds. `undefined`: too long. */
async function until(isTrue: () => boolean, limitMs = 10_000): Promise<number | undefined> {
  const began = performance.now();
  while (!isTrue()) {
    if (performance.now() - began > limitMs) return undefined;
    await pause(5);
  }
  return Math.round(performance.now() - began);
}

function secondsSince(began: number): string {
  return ((performance.now() - began) / 1_000).toFixed(1);
}
