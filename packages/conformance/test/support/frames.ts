import type { Socket } from 'node:net';
import { deserialize, serialize } from 'node:v8';

/** Sends a value that structured clone copies: maps and `undefined` too. */
export function sendFrame(socket: Socket, value: unknown): void {
  const body = serialize(value);
  const head = Buffer.alloc(4);
  head.writeUInt32BE(body.length);
  socket.write(Buffer.concat([head, body]));
}

/** Calls `receive` with each value that arrives. */
export function onFrames(socket: Socket, receive: (value: unknown) => void): void {
  let rest: Buffer = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (rest.length >= 4 && rest.length >= 4 + rest.readUInt32BE()) {
      const end = 4 + rest.readUInt32BE();
      receive(deserialize(rest.subarray(4, end)));
      rest = rest.subarray(end);
    }
  });
}
