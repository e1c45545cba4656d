/** Limits on what comes from outside. Each is named in the message of the error that it causes. */

/** Docker's own limit on manifests and configurations. */
export const documentBytesMax = 4 * 1024 * 1024;
/** Layers of one image: the storage driver takes some hundreds; the kernel's overlay takes 500. */
export const layersMax = 500;
export const historyMax = 2000;
/** One layer, compressed as it travels. */
export const blobBytesMax = 64 * 1024 ** 3;
/** Files in the tar that `load` reads. */
export const archiveEntriesMax = 100_000;
/** Images in one archive. */
export const archiveImagesMax = 1000;
/** Small files of an archive that stay in memory: one, and all together. */
export const archiveSmallFileBytes = 256 * 1024;
export const archiveMemoryBytes = 16 * 1024 * 1024;
/** Manifests an index may name, and how deep indexes may nest. */
export const indexManifestsMax = 1000;
export const indexDepthMax = 4;
/** Names one image may have. */
export const changesMax = 1000;

/** Limits of extraction. */
export const extractLimits = {
  bytesMax: 256 * 1024 ** 3,
  entriesMax: 5_000_000,
};
/**
 * Beyond so many bytes a layer may be at most so many times its compressed size: gzip cannot do more than 1032 (RFC 1951's best
 * case), so only a bomb of another format, made of zeros, does.
 */
const expansionFreeBytes = 16 * 1024 ** 3;
const expansionMax = 1100;

/** What may come out of a layer's blob of so many bytes; `bytesMax` whatever its size. */
export function unpackedBytesMax(blobBytes: number, bytesMax: number): number {
  return Math.min(bytesMax, Math.max(expansionFreeBytes, blobBytes * expansionMax));
}
