import { createHash } from 'node:crypto';

const FINGERPRINTS = 2 ** 48;

/** 48 bits that identify one version of a key. */
export function fingerprint(key: string, version: number): number {
  return createHash('sha256').update(`${version} ${key}`).digest().readUIntBE(0, 6);
}

/** Adds a fingerprint to a sum; a negative one is subtracted. */
export function addFingerprint(sum: number, change: number): number {
  return (sum + change + FINGERPRINTS) % FINGERPRINTS;
}
