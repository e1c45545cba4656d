import { createHash } from 'node:crypto';
import { asDigest } from '../base/index.ts';
import type { ChainId, DiffId, Digest } from '../base/index.ts';

/** sha256 of bytes that are at hand. */
export function digestOf(bytes: Uint8Array | string): Digest {
  return asDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`);
}

/** Chain IDs of layers, bottom first (OCI image specification, "Layer ChainID"). */
export function chainIds(diffIds: readonly DiffId[]): ChainId[] {
  const chain: ChainId[] = [];
  for (const diffId of diffIds) {
    const below = chain.at(-1);
    chain.push(below === undefined ? diffId : digestOf(`${below} ${diffId}`));
  }
  return chain;
}
