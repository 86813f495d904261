let count = 0;

/** A new notification of about 300 bytes of JSON. */
export function message(): object {
  count++;
  return {
    jsonrpc: '2.0',
    method: 'notifications/message',
    params: { level: 'info', logger: 'bench', data: { count, text: FILLER } },
  };
}

const FILLER = 'a line of a log, as long as such lines are. '.repeat(5).slice(0, 190);
