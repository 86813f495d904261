import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import type { RequestStateKey } from './options.ts';

const VERSION = 'v1';
const SALT_BYTES = 16;
const TAG_BYTES = 16;
const KEY_BYTES = 32;
const IV_BYTES = 12;
/** Longest text that is looked at: a state with the largest inline payload has about 44 KiB. */
const MAX_CHARACTERS = 65_536;

const SEALED = /^v1\.([A-Za-z0-9_-]{1,32})\.([A-Za-z0-9_-]+)$/;

/**
 * Seals a text by AES-256-GCM as `v1.<key id>.<salt, ciphertext and tag in base64url>`.
 *
 * Each text gets a key and an IV of its own, derived from the secret and a random salt (HKDF,
 * RFC 5869). So no number of texts wears a secret out, as random IVs of one key would after 2^32
 * (NIST SP 800-38D, 8.3).
 *
 * @param binding What must be the same when the text is opened. It is authenticated, not stored.
 */
export function seal(text: string, binding: string, key: RequestStateKey): string {
  const salt = randomBytes(SALT_BYTES);
  const { secret, iv } = derive(key, salt);
  const cipher = createCipheriv('aes-256-gcm', secret, iv, { authTagLength: TAG_BYTES });
  cipher.setAAD(Buffer.from(binding));
  const sealed = Buffer.concat([salt, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
  return `${VERSION}.${key.id}.${sealed.toString('base64url')}`;
}

/**
 * Opens what {@link seal} has made.
 *
 * @returns `malformed` if it has another form, `foreign` if no key opens it with this binding.
 */
export function unseal(
  sealed: unknown,
  binding: string,
  keys: readonly RequestStateKey[],
): { readonly text: string } | 'malformed' | 'foreign' {
  if (typeof sealed !== 'string' || sealed.length > MAX_CHARACTERS) return 'malformed';
  const [, id, body = ''] = SEALED.exec(sealed) ?? [];
  const bytes = Buffer.from(body, 'base64url');
  // Texts that differ only in the unused bits of the last character would name one state twice.
  if (bytes.length < SALT_BYTES + TAG_BYTES || bytes.toString('base64url') !== body) return 'malformed';
  const key = keys.find((each) => each.id === id);
  if (key === undefined) return 'foreign';
  const { secret, iv } = derive(key, bytes.subarray(0, SALT_BYTES));
  const decipher = createDecipheriv('aes-256-gcm', secret, iv, { authTagLength: TAG_BYTES });
  decipher.setAAD(Buffer.from(binding));
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
  try {
    const text = decipher.update(bytes.subarray(SALT_BYTES, -TAG_BYTES));
    return { text: Buffer.concat([text, decipher.final()]).toString('utf8') };
  } catch {
    return 'foreign';
  }
}

function derive(key: RequestStateKey, salt: Uint8Array): { readonly secret: Uint8Array; readonly iv: Uint8Array } {
  const derived = hkdfSync('sha256', key.secret, salt, 'mcp-session request state', KEY_BYTES + IV_BYTES);
  return { secret: new Uint8Array(derived, 0, KEY_BYTES), iv: new Uint8Array(derived, KEY_BYTES) };
}
