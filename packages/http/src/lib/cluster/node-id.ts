/** A name for this process among all nodes of the store: 64 random bits. */
export function newNodeId(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(8))).toString('hex');
}
