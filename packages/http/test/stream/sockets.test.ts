import { describe, expect, it } from 'vitest';
import { isUnacknowledgedIn } from '../../src/lib/stream/sockets.ts';

/** Lines of `/proc/net/tcp` and `/proc/net/tcp6`, from Linux 6.12. */
const HEAD = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n';
const TCP = `${HEAD}   0: 0100007F:0BB8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 11 1 0 100 0 0 10 0
   1: 0100007F:0BB8 0100007F:C001 01 00000000:00000000 00:00000000 00000000     0        0 12 1 0 20 4 30 10 -1
   2: 0100007F:0BB8 0200007F:C001 01 00000030:00000000 01:00000103 00000005     0        0 13 2 0 20 4 30 1 7
   3: 0100007F:0BB8 0100007F:C002 01 00000010:00000000 01:00000014 00000000     0        0 14 2 0 20 4 30 10 -1
`;
const TCP6 = `${HEAD}   0: 0000000000000000FFFF00000100007F:0BB8 0000000000000000FFFF00000A01A8C0:C003 01 00000030:00000000 01:00000103 00000002 0 0 15 2 0 20 4 30 1 7
   1: 00000000000000000000000001000000:0BB8 B80D0120000000000000000001000000:C004 01 00000030:00000000 01:00000103 00000002 0 0 16 2 0 20 4 30 1 7
`;

describe('what Linux says of a socket', () => {
  it.each([
    ['a client that acknowledges everything', TCP, '127.0.0.1', 0xc001, false],
    ['a client that is gone, with the same port elsewhere', TCP, '127.0.0.2', 0xc001, true],
    ['bytes on their way for the first time', TCP, '127.0.0.1', 0xc002, false],
    ['a socket that is not in the table', TCP, '127.0.0.1', 0xc009, undefined],
    ['an IPv4 client of a socket for both families', TCP6, '::ffff:192.168.1.10', 0xc003, true],
    ['an IPv6 client', TCP6, '2001:db8::1', 0xc004, true],
    ['an empty table', '', '127.0.0.1', 0xc001, undefined],
  ])('%s', (_, table, remoteAddress, remotePort, expected) => {
    expect(isUnacknowledgedIn(table, { localPort: 3_000, remoteAddress, remotePort })).toBe(expected);
  });

  it('a socket that was closed has no ends any more', () => {
    expect(isUnacknowledgedIn(TCP, { localPort: 3_000 })).toBeUndefined();
  });
});
