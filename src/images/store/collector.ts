import { isEngineError } from '../../base/index.ts';
import type { ChainId, Digest, ImageId } from '../../base/index.ts';
import type { SnapshotDriver } from '../../storage/index.ts';
import type { BlobStore } from './blobs.ts';
import type { ImageStore } from './image-store.ts';

/** What a running operation has fetched or made and no image names yet: the collector leaves it alone until the lease ends. */
export class Lease implements Disposable {
  readonly blobs = new Set<Digest>();
  readonly layers = new Set<ChainId>();

  constructor(private readonly owners: Set<Lease>) {
    owners.add(this);
  }

  [Symbol.dispose](): void {
    this.owners.delete(this);
  }
}

/**
 * Removes blobs and layers that nothing needs. Roots: the images, the leases of running operations, and for layers the
 * containers (a forced rmi may take the image of a stopped container, whose layers stay until the container goes).
 */
export class Collector {
  readonly #leases = new Set<Lease>();
  /** Layers on their way out; who wants one again waits for its end first. */
  readonly #removing = new Map<ChainId, Promise<void>>();

  constructor(
    private readonly images: ImageStore,
    private readonly blobs: BlobStore,
    private readonly snapshots: SnapshotDriver,
  ) {}

  lease(): Lease {
    return new Lease(this.#leases);
  }

  /** Runs work under a lease and afterwards removes what it left that no image took. */
  async during<T>(work: (lease: Lease) => Promise<T>): Promise<T> {
    const lease = this.lease();
    try {
      return await work(lease);
    } finally {
      lease[Symbol.dispose]();
      await this.collect({ blobs: lease.blobs, layers: [...lease.layers].toReversed() });
    }
  }

  /** Waits until a layer that is being removed is gone. */
  async settled(chainId: ChainId): Promise<void> {
    await this.#removing.get(chainId)?.catch(() => undefined);
  }

  /** Looks at the given blobs and layers only, top layers first; gives the layers removed and the bytes freed. */
  async collect(candidates: { blobs: Iterable<Digest>; layers: Iterable<ChainId> }): Promise<{ layers: ChainId[]; bytes: number }> {
    const { blobs, layers } = this.#needed();
    const removable = [...candidates.layers].filter((chainId) => {
      return !layers.has(chainId) && this.snapshots.hasLayer(chainId) && !this.#removing.has(chainId);
    });
    const inContainers = removable.length > 0 ? this.#containerLayerPaths() : new Set<string>();
    const report: { layers: ChainId[]; bytes: number } = { layers: [], bytes: 0 };
    const work: Promise<void>[] = [];
    for (const blob of candidates.blobs) {
      if (blobs.has(blob) || !this.blobs.has(blob)) continue;
      report.bytes += this.blobs.size(blob);
      work.push(this.blobs.remove(blob));
    }
    for (const chainId of removable) {
      if (inContainers.has(this.snapshots.layerPath(chainId))) continue;
      report.bytes += this.snapshots.layerSize(chainId);
      report.layers.push(chainId);
      work.push(this.#removeLayer(chainId));
    }
    await Promise.all(work);
    return report;
  }

  /** Everything that is there is a candidate. */
  collectAll(): Promise<{ layers: ChainId[]; bytes: number }> {
    return this.collect({ blobs: this.blobs.digests(), layers: this.snapshots.listLayers() });
  }

  /** What `collectAll` would remove. */
  unowned(): { blobs: Digest[]; layers: ChainId[] } {
    const { blobs, layers } = this.#needed();
    const inContainers = this.#containerLayerPaths();
    return {
      blobs: this.blobs.digests().filter((blob) => !blobs.has(blob)),
      layers: this.snapshots.listLayers()
        .filter((layer) => !layers.has(layer) && !this.#removing.has(layer) && !inContainers.has(this.snapshots.layerPath(layer))),
    };
  }

  /** What would go with these images, were these containers gone as well. */
  wouldFree(images: ReadonlySet<ImageId>, containers: ReadonlySet<string>): { layers: ChainId[]; bytes: number } {
    const { blobs, layers } = this.#needed(images);
    const inContainers = this.#containerLayerPaths(containers);
    const all = this.images.referenced();
    const freed = [...all.layers].filter((layer) => {
      return !layers.has(layer) && this.snapshots.hasLayer(layer) && !inContainers.has(this.snapshots.layerPath(layer));
    });
    const freedBlobs = [...all.blobs].filter((blob) => !blobs.has(blob) && this.blobs.has(blob));
    const sum = (sizes: readonly number[]): number => sizes.reduce((total, size) => total + size, 0);
    const bytes = sum(freed.map((layer) => this.snapshots.layerSize(layer))) + sum(freedBlobs.map((blob) => this.blobs.size(blob)));
    return { layers: freed, bytes };
  }

  /** By images, but those in `without`, and running operations. */
  #needed(without?: ReadonlySet<ImageId>): { blobs: Set<Digest>; layers: Set<ChainId> } {
    const { blobs, layers } = this.images.referenced(without);
    for (const lease of this.#leases) {
      for (const blob of lease.blobs) blobs.add(blob);
      for (const layer of lease.layers) layers.add(layer);
    }
    return { blobs, layers };
  }

  #removeLayer(chainId: ChainId): Promise<void> {
    const removal = this.snapshots.removeLayer(chainId).finally(() => this.#removing.delete(chainId));
    this.#removing.set(chainId, removal);
    return removal;
  }

  #containerLayerPaths(without: ReadonlySet<string> = new Set()): Set<string> {
    const paths = new Set<string>();
    for (const id of this.snapshots.listContainers()) {
      if (without.has(id)) continue;
      try {
        for (const path of this.snapshots.lowerPaths(id)) paths.add(path);
      } catch (error) {
        // It cannot be mounted any more, so it needs no layer: that must not stand in everybody's way.
        if (!isEngineError(error, 'internal')) throw error;
      }
    }
    return paths;
  }
}
