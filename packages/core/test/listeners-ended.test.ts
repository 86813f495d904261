import { endsListeners, listenersEnded } from '@mcp-session/core/transport';
import { expect, it } from 'vitest';

it("the end of a principal's listeners concerns that principal alone, and names nobody in the log of the bus", () => {
  const principals = ['https://issuer.example|ada', 'https://issuer.example|bob', 'null', null];
  for (const principal of principals) {
    const event = listenersEnded(principal);
    expect(principals.filter((other) => endsListeners(event, other))).toEqual([principal]);
    expect(JSON.stringify(event)).not.toContain('issuer.example');
  }
  expect(endsListeners({ kind: 'tools_list_changed' }, null)).toBe(false);
});
