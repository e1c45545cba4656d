import { open } from 'node:fs/promises';
import type { Digest } from '../base/index.ts';
import type { ImageContext } from './context.ts';
import { decompress, detectCompression } from './layer/index.ts';
import type { Compression } from './layer/index.ts';
import { unpackedBytesMax } from './limits.ts';
import { mediaTypes } from './media-types.ts';
import type { StoredBlob } from './store/blobs.ts';
import type { Lease } from './store/collector.ts';

async function compressionOf(path: string): Promise<Compression> {
  const file = await open(path, 'r');
  try {
    const head = new Uint8Array(6);
    const { bytesRead } = await file.read(head, 0, head.length, 0);
    return detectCompression(head.subarray(0, bytesRead));
  } finally {
    await file.close();
  }
}

/** A layer's blob as it can travel: every reader takes plain, gzip and zstd, so anything else is stored again without its compression. */
export async function travellingBlob(
  context: ImageContext,
  blob: StoredBlob,
  lease: Lease,
  signal: AbortSignal,
): Promise<StoredBlob & { mediaType: string; plain: boolean }> {
  const compression = await compressionOf(context.blobs.path(blob.digest));
  if (compression === 'none') return { ...blob, mediaType: mediaTypes.ociLayer, plain: true };
  if (compression === 'gzip' || compression === 'zstd') return { ...blob, mediaType: `${mediaTypes.ociLayer}+${compression}`, plain: false };
  const plain = await context.blobs.ingest(decompressed(context, blob.digest, signal), { signal });
  lease.blobs.add(plain.digest);
  return { ...plain, mediaType: mediaTypes.ociLayer, plain: true };
}

/** A stored blob without its compression. */
export function decompressed(context: ImageContext, blob: Digest, signal: AbortSignal): AsyncIterable<Uint8Array> {
  const limitBytes = unpackedBytesMax(context.blobs.size(blob), context.options.layerBytesMax);
  return decompress(context.blobs.read(blob), { limitBytes, signal });
}
