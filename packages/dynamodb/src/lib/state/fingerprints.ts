import { createHash } from 'node:crypto';

const FINGERPRINTS = 2 ** 48;

/** 48 bits that tell one version of a key from all others. */
export function fingerprint(key: string, version: number): number {
  return createHash('sha256').update(`${version} ${key}`).digest().readUIntBE(0, 6);
}

/** Adds fingerprints; a negative one is taken away. */
export function addFingerprint(sum: number, change: number): number {
  return (sum + change + FINGERPRINTS) % FINGERPRINTS;
}
