import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto';

const CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Encrypts notifications for the nodes of one store. PostgreSQL has no permissions on channels:
 * every role of the database can listen and send on any
 * (postgresql.org/docs/current/sql-notify.html), and a session id may be all that a client needs to
 * use the session.
 */
export class Seal {
  /**
   * The channel. Its name derives from the secret too, so a role that cannot read the secret finds
   * nothing to listen to and nothing to replay.
   */
  readonly channel: string;
  readonly #secret: string;
  readonly #node: string;
  readonly #ownKey: Buffer;
  #count = 0;

  /** @param node A word without spaces that identifies this backend and is never used again. */
  constructor(secret: string, node: string) {
    this.#secret = secret;
    this.#node = node;
    this.channel = `mcp_session_${derive(secret, 'channel').toString('hex', 0, 16)}`;
    this.#ownKey = this.#keyOf(node);
  }

  /** @returns The name of this node and the encrypted text. */
  seal(text: string): string {
    // A counter, because each node has its own key, so no nonce repeats.
    const nonce = Buffer.alloc(NONCE_BYTES);
    nonce.writeUIntBE(++this.#count, NONCE_BYTES - 6, 6);
    const cipher = createCipheriv(CIPHER, this.#ownKey, nonce);
    const sealed = Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
    return `${this.#node} ${sealed.toString('base64')}`;
  }

  /**
   * @returns The text of another node; `undefined` if it is from this node or was not sealed with
   * the secret.
   */
  open(payload: string): string | undefined {
    const [node = '', text = ''] = payload.split(' ');
    const sealed = Buffer.from(text, 'base64');
    if (node === this.#node || sealed.length < NONCE_BYTES + TAG_BYTES) return undefined;
    const decipher = createDecipheriv(CIPHER, this.#keyOf(node), sealed.subarray(0, NONCE_BYTES), {
      authTagLength: TAG_BYTES,
    });
    decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
    try {
      return decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES), undefined, 'utf8') + decipher.final('utf8');
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
