import { describe, expect, it } from 'vitest';
import { eventually, gate, start } from '../support/harness.ts';
import { lines } from '../support/lines.ts';
import { bearer, PROCESS_IS_FULL, refusalOf, startWaiting, USER_HAS_TWO } from '../support/waiting.ts';

describe.each(lines)('how many requests without a session are answered at once, SDK $name', (line) => {
  it('they count for their principal and the process, until they are answered or their client leaves', async () => {
    const { raw, open, begun } = await startWaiting(line, {
      maxOpenRequestsPerPrincipal: 2,
      maxOpenRequestsPerProcess: 3,
    });
    const [alice, nobody] = [raw(bearer('alice')), raw()];
    const calls = [await alice.callTool('wait'), await alice.callTool('wait')];
    expect(await refusalOf(await alice.callTool('echo'))).toEqual(USER_HAS_TWO);
    calls.push(await nobody.callTool('wait'));
    expect(await refusalOf(await nobody.callTool('echo'))).toEqual(PROCESS_IS_FULL);
    await eventually(() => begun() === 3);
    // Nobody can come back for it, so it is cancelled.
    await calls.pop()?.cancel();
    await eventually(async () => (await nobody.callTool('echo')).status === 200);
    open();
    for (const call of calls) expect(JSON.stringify(await call.sse.rest())).toContain('done');
    await eventually(async () => (await alice.callTool('echo')).status === 200);
  });

  it('a burst is cut off at the bound, also while its servers are made', async () => {
    const { passed, open } = gate();
    let made = 0;
    const { raw } = await start(line, {
      maxOpenRequestsPerProcess: 3,
      withoutSession: 'stateless',
      stateless: () => {
        made++;
        return { tools: { wait: async () => passed.then(() => 'done') } };
      },
    });
    const answers = await Promise.all(Array.from({ length: 20 }, () => raw().callTool('wait')));
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([
      ...Array(3).fill(200),
      ...Array(17).fill(503),
    ]);
    expect(made).toBe(3);
    open();
  });

  it('a server that cannot be made leaves no trace', async () => {
    let fails = true;
    const { raw } = await start(line, {
      maxOpenRequestsPerProcess: 1,
      withoutSession: 'stateless',
      stateless: () => {
        if (fails) throw new Error('no server today');
        return { tools: { echo: () => 'hello' } };
      },
    });
    for (let n = 0; n < 2; n++) expect((await raw().callTool('echo')).status).toBe(500);
    fails = false;
    expect((await raw().callTool('echo')).status).toBe(200);
  });
});
