import { EngineError, Gate } from '../base/index.ts';
import type { ChainId, ImageId, Lane, Logger } from '../base/index.ts';
import type { SnapshotDriver } from '../storage/index.ts';
import type { StateDb } from '../state/index.ts';
import { extractLimits } from './limits.ts';
import type { BlobStore } from './store/blobs.ts';
import type { Collector } from './store/collector.ts';
import type { ImageStore, StoredImage } from './store/image-store.ts';
import type { LayerUnpacker } from './store/layers.ts';
import type { ImageUseCheck } from './types.ts';

/** The daemon keys of the guide (1.2.3.1, 004) that concern images. */
export interface ImageOptions {
  /** Hosts (with port), or CIDR blocks, that are spoken to without verifying TLS, or in plain HTTP. */
  readonly insecureRegistries: readonly string[];
  /** URLs or hosts asked before the default host; `registry=URL` for another registry. */
  readonly registryMirrors: readonly string[];
  readonly defaultHost: string;
  /** `registry-transformation`: from the host in a name to the host that is asked. */
  readonly transformation: Readonly<Record<string, string>>;
  /** False: private keys in certs.d are encrypted (guide 1.3.6.1.8). */
  readonly useDecryptedKey: boolean;
  /** Skips the check of the host name in certificates. */
  readonly insecureSkipVerify: boolean;
  /** `image-opt-timeout`, ms; -1: no limit. */
  readonly imageOptTimeoutMs: number;
  readonly layerCheck: boolean;
  /** Bytes that a layer may have unpacked. */
  readonly layerBytesMax: number;
  readonly maxConcurrentDownloads: number;
  readonly maxConcurrentUploads: number;
  /** The wait before the first repetition of a request that failed; it doubles each time. */
  readonly retryDelayMs: number;
  /** Directories looked through for `<host>/ca.crt` and the like. */
  readonly certsDirs: readonly string[];
}

export const defaultImageOptions: ImageOptions = {
  insecureRegistries: [],
  registryMirrors: [],
  defaultHost: 'docker.io',
  transformation: { 'docker.io': 'registry-1.docker.io', 'index.docker.io': 'registry-1.docker.io' },
  useDecryptedKey: true,
  insecureSkipVerify: false,
  imageOptTimeoutMs: 5 * 60 * 1000,
  layerCheck: false,
  layerBytesMax: extractLimits.bytesMax,
  maxConcurrentDownloads: 3,
  maxConcurrentUploads: 5,
  retryDelayMs: 500,
  certsDirs: ['/etc/isulad/certs.d', '/etc/docker/certs.d'],
};

/** What every image verb works with. */
export interface ImageContext {
  readonly graphRoot: string;
  readonly db: StateDb;
  readonly images: ImageStore;
  readonly blobs: BlobStore;
  readonly snapshots: SnapshotDriver;
  readonly collector: Collector;
  readonly unpacker: LayerUnpacker;
  /** Layers unpacked at the same time, of all requests. */
  readonly unpackGate: Gate;
  /** Removals run one at a time: each looks at the names that the others leave. */
  readonly removals: Lane;
  readonly options: ImageOptions;
  readonly logger: Logger;
  /** Layers that `image-layer-check` found damaged, and what is wrong with each. */
  readonly damaged: Map<ChainId, string>;
  uses: ImageUseCheck;
  event: (action: string, id: string, attributes: Record<string, string>) => void;
}

/** Sends an image event; `name` is what the user called it. */
export function imageEvent(context: ImageContext, action: string, image: StoredImage, name: string): void {
  context.event(action, image.id, { ...image.config.config?.Labels, name });
}

/** @throws unavailable for an image with a damaged layer */
export function refuseDamaged(context: ImageContext, image: StoredImage): void {
  if (context.damaged.size === 0) return;
  const layer = image.layers.find(({ chainId }) => context.damaged.has(chainId));
  if (layer) {
    throw new EngineError('unavailable', `Cannot use image ${image.id}: ${context.damaged.get(layer.chainId) ?? ''}; remove it and get it again`);
  }
}

/** Removes what an image needed and nothing else does. */
export async function collectImage(context: ImageContext, image: StoredImage): Promise<{ layers: string[]; bytes: number }> {
  const collected = await context.collector.collect({
    blobs: image.layers.map((layer) => layer.blob),
    layers: image.layers.map((layer) => layer.chainId).toReversed(),
  });
  for (const layer of collected.layers) context.damaged.delete(layer);
  return collected;
}

/** @throws notFound when `id` has just been removed by another request */
export function mustGet(context: ImageContext, id: ImageId): StoredImage {
  const image = context.images.get(id);
  if (!image) throw new EngineError('notFound', `No such image: ${id}`);
  return image;
}
