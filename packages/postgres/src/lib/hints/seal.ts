import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto';

const CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Keeps what notifications say to the nodes of a store. PostgreSQL has no rights on channels: every role of the database can listen to any, and send on it
 * (postgresql.org/docs/current/sql-notify.html), while the id of a session opens it.
 */
export class Seal {
  /** The channel. Its name follows from the secret too, so that who cannot read that has nowhere to listen and nothing to send again. */
  readonly channel: string;
  readonly #secret: string;
  readonly #node: string;
  readonly #ownKey: Buffer;
  #count = 0;

  /** @param node Names this process among all that have the secret, in a word that no other one has ever used. */
  constructor(secret: string, node: string) {
    this.#secret = secret;
    this.#node = node;
    this.channel = `mcp_session_${derive(secret, 'channel').toString('hex', 0, 16)}`;
    this.#ownKey = this.#keyOf(node);
  }

  /** @returns The text as others can read it that have the secret, behind the name of this node. */
  close(text: string): string {
    // Counted, not random: with a key of its own for each node, no two texts ever have the same.
    const nonce = Buffer.alloc(NONCE_BYTES);
    nonce.writeUIntBE(++this.#count, NONCE_BYTES - 6, 6);
    const cipher = createCipheriv(CIPHER, this.#ownKey, nonce);
    const closed = Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
    return `${this.#node} ${closed.toString('base64')}`;
  }

  /** @returns What another node has said; `undefined` where it is of this one, or of nobody who has the secret. */
  open(payload: string): string | undefined {
    const [node = '', sealed = ''] = payload.split(' ');
    const closed = Buffer.from(sealed, 'base64');
    if (node === this.#node || closed.length < NONCE_BYTES + TAG_BYTES) return undefined;
    const decipher = createDecipheriv(CIPHER, this.#keyOf(node), closed.subarray(0, NONCE_BYTES), {
      authTagLength: TAG_BYTES,
    });
    decipher.setAuthTag(closed.subarray(-TAG_BYTES));
    try {
      return decipher.update(closed.subarray(NONCE_BYTES, -TAG_BYTES), undefined, 'utf8') + decipher.final('utf8');
    } catch {
      return undefined;
    }
  }

  #keyOf(node: string): Buffer {
    return derive(this.#secret, `hints of ${node}`);
  }
}

function derive(secret: string, purpose: string): Buffer {
  return createHmac('sha256', secret).update(purpose).digest();
}
