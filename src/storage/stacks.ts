import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, readlinkSync, unlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { EngineError, isDigest, writeFileDurably, type ChainId, type ContainerId } from '../base/index.ts';
import type { Layout } from './layout.ts';

/**
 * Which layers a container stands on. Each distinct list is written durably once, when its first container is made; a
 * container only names it by a short symbolic link. Such a link is a file system's metadata, which its journal keeps in order
 * with the record that the engine then flushes: making a container costs no flush, and a power cut cannot leave a record
 * whose container lacks its layers.
 */
export class Stacks {
  readonly #lists = new Map<string, readonly ChainId[]>();
  readonly #ofContainer = new Map<ContainerId, string>();

  constructor(private readonly layout: Layout) {}

  /** Makes the list durable; gives the target for a container's `stack` link. */
  keep(id: ContainerId, layers: readonly ChainId[]): string {
    const text = layers.map((layer) => `${layer}\n`).join('');
    const name = createHash('sha256').update(text).digest('hex').slice(0, 32);
    const path = join(this.layout.stacks, name);
    if (!this.#lists.has(name)) {
      if (!existsSync(path)) writeFileDurably(path, text);
      this.#lists.set(name, [...layers]);
    }
    this.#ofContainer.set(id, name);
    return `../../stacks/${name}`;
  }

  /** @throws EngineError internal when the container's layer list is gone. */
  layersOf(id: ContainerId): readonly ChainId[] {
    const name = this.#ofContainer.get(id) ?? this.#readLink(id);
    const known = this.#lists.get(name);
    if (known) return known;
    let lines: string[];
    try {
      lines = readFileSync(join(this.layout.stacks, name), 'utf8').split('\n').filter((line) => line !== '');
    } catch (error) {
      throw new EngineError('internal', `Cannot read the layers of container ${id}: its list ${name} is missing`, { cause: error });
    }
    const layers = lines.filter(isDigest);
    if (layers.length !== lines.length) throw new EngineError('internal', `Cannot read the layers of container ${id}: its list ${name} is damaged`);
    this.#lists.set(name, layers);
    return layers;
  }

  /** True when the container stands on the layer; a damaged container stands on none. */
  uses(id: ContainerId, layer: ChainId): boolean {
    try {
      return this.layersOf(id).includes(layer);
    } catch {
      return false;
    }
  }

  #readLink(id: ContainerId): string {
    try {
      const name = basename(readlinkSync(join(this.layout.container(id), 'stack')));
      this.#ofContainer.set(id, name);
      return name;
    } catch (error) {
      throw new EngineError('internal', `Cannot read the layers of container ${id}: its directory is damaged`, { cause: error });
    }
  }

  /** True for a list that is in use, or kept for the next container of its image until the daemon's next start. */
  isKept(name: string): boolean {
    return this.#lists.has(name) || [...this.#ofContainer.values()].includes(name);
  }

  forget(id: ContainerId): void {
    this.#ofContainer.delete(id);
  }

  /** Removes the lists that none of these containers uses. */
  prune(containers: Iterable<ContainerId>): void {
    const used = new Set<string>();
    for (const id of containers) {
      try {
        used.add(this.#ofContainer.get(id) ?? this.#readLink(id));
      } catch {
        // A damaged container uses no list; it is reported when it is mounted.
      }
    }
    for (const name of readdirSync(this.layout.stacks)) {
      if (used.has(name)) continue;
      unlinkSync(join(this.layout.stacks, name));
      this.#lists.delete(name);
    }
  }
}
