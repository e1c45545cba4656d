import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, mkdirSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { digestHex, ensureDir, type ChainId, type ContainerId } from '../base/index.ts';

/**
 * For root and its group alone: images hold setuid programs and device nodes, which the host's users must not reach. A user
 * namespace's root gets through by the group.
 */
const pathMode = 0o710;

/**
 * Where the overlay2 driver keeps what:
 *   layers/<chain hex>/diff, size      an image layer's files in overlay form, and its size in bytes
 *   containers/<id>/upper, work, merged
 *   containers/<id>/stack              a symbolic link to stacks/<hex>
 *   stacks/<hex>                       the chain IDs of a stack of layers, bottom first, one a line; named by their sha256
 *   staging/                           what is being made or removed; emptied at start
 *   empty                              the lower directory of a container without layers: the kernel wants one
 */
export class Layout {
  readonly base: string;
  readonly layers: string;
  readonly containers: string;
  readonly stacks: string;
  readonly staging: string;
  readonly empty: string;

  /** `owner`: whom images' root belongs to and who gets through to it; the host's root unless the daemon remaps users. */
  constructor(graphRoot: string, readonly owner: { uid: number; gid: number } = { uid: 0, gid: 0 }) {
    const base = join(graphRoot, 'storage', 'overlay2');
    ensureDir(base, pathMode);
    // mountinfo shows real paths, and paths here are compared with it.
    this.base = realpathSync(base);
    this.layers = join(this.base, 'layers');
    this.containers = join(this.base, 'containers');
    this.stacks = join(this.base, 'stacks');
    this.staging = join(this.base, 'staging');
    this.empty = join(this.base, 'empty');
    for (const path of [this.containers, this.empty]) ensureDir(path, pathMode);
    for (const path of [this.layers, this.stacks, this.staging]) ensureDir(path);
    for (const path of [graphRoot, dirname(this.base), this.base, this.containers]) this.#letThrough(path);
  }

  layer(chainId: ChainId): string {
    return join(this.layers, digestHex(chainId));
  }

  diff(chainId: ChainId): string {
    return join(this.layers, digestHex(chainId), 'diff');
  }

  container(id: ContainerId): string {
    return join(this.containers, id);
  }

  merged(id: ContainerId): string {
    return join(this.containers, id, 'merged');
  }

  upper(id: ContainerId): string {
    return join(this.containers, id, 'upper');
  }

  /** A new directory of its own in staging. */
  newStaging(prefix: string): string {
    const path = this.stagingName(prefix);
    mkdirSync(path, { mode: pathMode });
    this.#letThrough(path);
    return path;
  }

  /** A remapped container's root passes by its group. */
  #letThrough(path: string): void {
    if (this.owner.gid === 0) return;
    chownSync(path, 0, this.owner.gid);
    chmodSync(path, pathMode);
  }

  /** A name in staging that nobody has. */
  stagingName(prefix: string): string {
    return join(this.staging, `${prefix}-${randomBytes(8).toString('hex')}`);
  }
}
