import type { Readable } from 'node:stream';
import { EngineError, failPoint, shortId } from '../../base/index.ts';
import type { ChainId, DiffId, IdMaps } from '../../base/index.ts';
import type { SnapshotDriver } from '../../storage/index.ts';
import { extractLimits, unpackedBytesMax } from '../limits.ts';
import { decompress, extractLayer } from '../layer/index.ts';
import { diskError } from './blobs.ts';
import type { Collector, Lease } from './collector.ts';
import { SharedWork } from './shared-work.ts';

export interface LayerSource {
  readonly chainId: ChainId;
  readonly diffId: DiffId;
  /** The layers under it, bottom first; they are in the store already. */
  readonly below: readonly ChainId[];
  /** Bytes of what `open` gives. */
  readonly blobBytes: number;
  /** The layer's tar, compressed or not. Opened only when the layer is not there yet. */
  open(): Readable;
}

/** Unpacks layers, each chain ID once however many ask for it at the same time. */
export class LayerUnpacker {
  readonly #work = new SharedWork<ChainId, void>();

  constructor(
    private readonly snapshots: SnapshotDriver,
    private readonly collector: Collector,
    private readonly options: { readonly bytesMax: number; readonly ids: IdMaps | undefined },
  ) {}

  /** @throws invalidArgument when the tar is malformed or does not hash to its diff ID; tooLarge; resourceExhausted */
  async ensure(layer: LayerSource, lease: Lease, signal: AbortSignal): Promise<void> {
    lease.layers.add(layer.chainId);
    if (this.snapshots.hasLayer(layer.chainId) && !this.#work.has(layer.chainId)) return;
    await this.#work.run(layer.chainId, signal, async (shared) => {
      await this.collector.settled(layer.chainId);
      if (!this.snapshots.hasLayer(layer.chainId)) await this.#unpack(layer, shared);
    });
  }

  async #unpack(layer: LayerSource, signal: AbortSignal): Promise<void> {
    await using staging = await this.snapshots.stageLayer(layer.chainId, layer.below);
    const source = layer.open();
    try {
      const bytesMax = unpackedBytesMax(layer.blobBytes, this.options.bytesMax);
      const tar = decompress(source, { limitBytes: bytesMax, signal });
      const result = await extractLayer(tar, staging.path, {
        limits: { ...extractLimits, bytesMax }, form: 'oci-layer', parents: staging.parents, ids: this.options.ids, signal,
      });
      if (result.diffId !== layer.diffId) {
        throw new EngineError('invalidArgument', `Cannot unpack layer ${shortId(layer.diffId)}: its content hashes to ${result.diffId}`);
      }
      failPoint('image-layer-unpacked');
      await staging.commit(result.bytes);
      failPoint('image-layer');
    } catch (error) {
      signal.throwIfAborted();
      throw diskError(error);
    } finally {
      source.destroy();
    }
  }
}
