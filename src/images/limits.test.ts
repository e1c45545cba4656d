import { expect, test } from 'bun:test';
import { extractLimits, unpackedBytesMax } from './limits.ts';

test('beyond any size that gzip could reach, a layer is a bomb', () => {
  const gib = 1024 ** 3;
  const max = (blobBytes: number): number => unpackedBytesMax(blobBytes, extractLimits.bytesMax);
  expect([max(1000), max(gib / 10), max(gib), unpackedBytesMax(gib, 5)]).toEqual([16 * gib, 110 * gib, 256 * gib, 5]);
});
