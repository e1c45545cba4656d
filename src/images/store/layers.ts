import type { Readable } from 'node:stream';
import { EngineError, failPoint, shortId } from '../../base/index.ts';
import type { ChainId, DiffId, IdMaps } from '../../base/index.ts';
import type { LayerStaging, SnapshotDriver } from '../../storage/index.ts';
import { extractLimits, unpackedBytesMax } from '../limits.ts';
import { decompress, extractLayer, type ExtractOptions, type ExtractResult } from '../layer/index.ts';
import { readInTurn } from './blob-reader.ts';
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
  /** Where the layer's plain tar is, when this very operation has hashed it to the diff ID: it is then read instead of `open`. */
  readonly verifiedTar?: string;
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
    try {
      const { bytes, diffId } = await this.#extract(layer, staging, signal);
      if (diffId !== layer.diffId) {
        throw new EngineError('invalidArgument', `Cannot unpack layer ${shortId(layer.diffId)}: its content hashes to ${diffId}`);
      }
      failPoint('image-layer-unpacked');
      await staging.commit(bytes);
      failPoint('image-layer');
    } catch (error) {
      signal.throwIfAborted();
      throw diskError(error);
    }
  }

  async #extract(layer: LayerSource, { path, parents }: LayerStaging, signal: AbortSignal): Promise<ExtractResult> {
    const bytesMax = unpackedBytesMax(layer.blobBytes, this.options.bytesMax);
    const options: ExtractOptions = { limits: { ...extractLimits, bytesMax }, form: 'oci-layer', parents, ids: this.options.ids, signal };
    const { verifiedTar, diffId } = layer;
    if (verifiedTar !== undefined) return extractLayer(readInTurn(verifiedTar), path, { ...options, diffId });
    const source = layer.open();
    try {
      return await extractLayer(decompress(source, { limitBytes: bytesMax, signal }), path, options);
    } finally {
      source.destroy();
    }
  }
}
