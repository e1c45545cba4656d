import { createReadStream, lstatSync } from 'node:fs';
import { join, posix } from 'node:path';
import { Readable } from 'node:stream';
import { extract } from 'tar-stream';
import { messageOf, shortId } from '../../base/index.ts';
import type { ChainId } from '../../base/index.ts';
import { decompressed } from '../compression.ts';
import type { ImageContext } from '../context.ts';
import type { StoredLayer } from './tables.ts';

/** What is compared of a file: its size and a hash of its content. */
interface Expected {
  readonly size: number;
  readonly hash: string;
}

/**
 * `image-layer-check` (guide 1.2.3.1): compares every unpacked layer with the archive it came as. As the guide says, only the
 * content of files can be checked; empty files, directories and links are not.
 * @returns why images are damaged, by the layer that is; each layer is looked at once
 */
export async function findDamage(context: ImageContext, signal: AbortSignal): Promise<Map<ChainId, string>> {
  const damaged = new Map<ChainId, string>();
  const checked = new Set<ChainId>();
  for (const image of context.images.all()) {
    for (const layer of image.layers) {
      if (checked.has(layer.chainId)) continue;
      checked.add(layer.chainId);
      const why = await checkLayer(context, layer, signal);
      if (why !== undefined) damaged.set(layer.chainId, why);
    }
  }
  return damaged;
}

async function checkLayer(context: ImageContext, layer: StoredLayer, signal: AbortSignal): Promise<string | undefined> {
  if (!context.snapshots.hasLayer(layer.chainId)) return `layer ${shortId(layer.chainId)} is missing`;
  // A layer of an embedded image has no archive to compare it with.
  if (!context.blobs.has(layer.blob)) return layer.size === 0 ? undefined : `the archive of layer ${shortId(layer.chainId)} is missing`;
  try {
    const expected = await filesOf(context, layer, signal);
    const root = context.snapshots.layerPath(layer.chainId);
    for (const [path, file] of expected) {
      const wrong = await compare(join(root, path), file);
      if (wrong) return `/${path} of layer ${shortId(layer.chainId)} is ${wrong}`;
    }
    return undefined;
  } catch (error) {
    signal.throwIfAborted();
    return `layer ${shortId(layer.chainId)} cannot be checked: ${messageOf(error)}`;
  }
}

/** The last content that the archive gives each path. */
async function filesOf(context: ImageContext, layer: StoredLayer, signal: AbortSignal): Promise<Map<string, Expected>> {
  const tar = extract();
  const source = Readable.from(decompressed(context, layer.blob, signal), { objectMode: false });
  source.on('error', (error) => tar.destroy(error));
  source.pipe(tar);
  const files = new Map<string, Expected>();
  for await (const entry of tar) {
    const path = posix.normalize(entry.header.name).replace(/^\/+/, '').replace(/\/$/, '');
    const size = entry.header.size ?? 0;
    const isFile = entry.header.type === 'file' || entry.header.type === 'contiguous-file';
    if (!isFile || size === 0 || posix.basename(path).startsWith('.wh.') || path.split('/')[0] === '..') {
      if (!isFile) files.delete(path);
      entry.resume();
      continue;
    }
    const hash = new Bun.CryptoHasher('sha256');
    for await (const chunk of entry) if (chunk instanceof Uint8Array) hash.update(chunk);
    files.set(path, { size, hash: hash.digest('hex') });
  }
  return files;
}

async function compare(path: string, expected: Expected): Promise<string | undefined> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found) return 'missing';
  if (!found.isFile()) return 'no regular file';
  if (found.size !== expected.size) return 'of another size';
  const hash = new Bun.CryptoHasher('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 256 * 1024 })) if (chunk instanceof Uint8Array) hash.update(chunk);
  return hash.digest('hex') === expected.hash ? undefined : 'changed';
}
