import { PassThrough } from 'node:stream';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { pack } from 'tar-stream';
import type { Pack } from 'tar-stream';
import { digestHex, EngineError } from '../base/index.ts';
import type { Digest, ImageId } from '../base/index.ts';
import type { Descriptor } from '../model/index.ts';
import { digestOf } from './chain.ts';
import { imageEvent } from './context.ts';
import type { ImageContext } from './context.ts';
import { mediaTypes } from './media-types.ts';
import { canonicalName, canonicalString, familiarString, parseReference } from './reference.ts';
import type { ImageReference } from './reference.ts';
import type { StoredImage } from './store/image-store.ts';
import type { StoredManifest } from './store/tables.ts';

interface SavedImage {
  readonly image: StoredImage;
  readonly names: Set<string>;
}

/**
 * `save`: one tar that is both what `docker save` writes (manifest.json) and an OCI image layout (index.json, oci-layout), as
 * docker 25 does; layers shared by several images are in it once, byte for byte as they came.
 * @throws notFound for a reference that names nothing, before anything is written
 */
export async function saveImages(context: ImageContext, references: readonly string[], signal: AbortSignal): Promise<Readable> {
  const chosen = choose(context, references);
  const lease = context.collector.lease();
  for (const { image } of chosen) {
    for (const layer of image.layers) {
      lease.blobs.add(layer.blob);
      if (!context.blobs.has(layer.blob)) {
        lease[Symbol.dispose]();
        throw new EngineError('unsupported', `Cannot save image ${image.id}: its layers are not stored as archives`);
      }
    }
  }
  const tar = pack();
  const output = new PassThrough();
  const writing = writeArchive(context, chosen, tar, signal).catch((error: unknown) => {
    tar.destroy(error instanceof Error ? error : new Error(String(error)));
  });
  pipeline(tar, output, { signal }).catch(() => undefined).finally(async () => {
    await writing;
    lease[Symbol.dispose]();
    await context.collector.collect({ blobs: lease.blobs, layers: [] });
  });
  for (const { image, names } of chosen) imageEvent(context, 'save', image, [...names][0] ?? image.id);
  return output;
}

/** By name: with that name. A repository alone: all its tags. By id: without a name (guide 4.4.1). */
function choose(context: ImageContext, references: readonly string[]): SavedImage[] {
  if (references.length === 0) throw new EngineError('invalidArgument', 'save needs at least one image');
  const chosen = new Map<ImageId, SavedImage>();
  const add = (image: StoredImage, names: readonly string[]): void => {
    const known = chosen.get(image.id) ?? { image, names: new Set<string>() };
    for (const name of names) known.names.add(name);
    chosen.set(image.id, known);
  };
  for (const text of references) {
    const tagged = taggedImages(context, text);
    for (const [name, image] of tagged) add(image, [name]);
    if (tagged.length > 0) continue;
    const image = context.images.find(text);
    if (context.images.isIdOf(text, image)) {
      add(image, []);
      continue;
    }
    const reference = parseReference(text, context.options.defaultHost);
    add(image, reference.digest === undefined ? [canonicalString(reference)] : []);
  }
  return [...chosen.values()];
}

function taggedImages(context: ImageContext, text: string): [string, StoredImage][] {
  let wanted: ImageReference;
  try {
    wanted = parseReference(text, context.options.defaultHost);
  } catch {
    return []; // An id, or nothing: `find` decides.
  }
  if (wanted.tag !== undefined || wanted.digest !== undefined) return [];
  const prefix = `${canonicalName(wanted)}:`;
  return [...context.images.names()].flatMap(([name, id]) => {
    const image = name.startsWith(prefix) && !name.includes('@') ? context.images.get(id) : undefined;
    return image ? [[name, image] satisfies [string, StoredImage]] : [];
  });
}

/** The manifest an image came with, or one made of what is stored. */
export function manifestOf(context: ImageContext, image: StoredImage): StoredManifest {
  const stored = context.images.manifest(image.id);
  if (stored) return stored;
  const document = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { mediaType: mediaTypes.ociConfig, digest: image.id, size: context.images.configBytes(image.id).byteLength },
    layers: image.layers.map((layer) => ({ mediaType: layer.mediaType, digest: layer.blob, size: layer.size })),
  };
  return { mediaType: mediaTypes.ociManifest, bytes: new TextEncoder().encode(JSON.stringify(document)) };
}

function blobPath(digest: Digest): string {
  return `blobs/sha256/${digestHex(digest)}`;
}

async function writeArchive(context: ImageContext, chosen: readonly SavedImage[], tar: Pack, signal: AbortSignal): Promise<void> {
  const host = context.options.defaultHost;
  const written = new Set<Digest>();
  const index: Descriptor[] = [];
  const dockerManifest: { Config: string; RepoTags: string[] | null; Layers: string[] }[] = [];
  await writeDirectory(tar, 'blobs/');
  await writeDirectory(tar, 'blobs/sha256/');
  const bytesOnce = async (bytes: Uint8Array, digest: Digest): Promise<void> => {
    if (written.has(digest)) return;
    written.add(digest);
    await writeBytes(tar, blobPath(digest), bytes);
  };
  for (const { image, names } of chosen) {
    for (const layer of image.layers) {
      signal.throwIfAborted();
      if (written.has(layer.blob)) continue;
      written.add(layer.blob);
      const entry = tar.entry({ name: blobPath(layer.blob), size: context.blobs.size(layer.blob), mode: 0o644, mtime: epoch });
      await pipeline(context.blobs.read(layer.blob), entry, { signal });
    }
    const manifest = manifestOf(context, image);
    const descriptor: Descriptor = { mediaType: manifest.mediaType, digest: digestOf(manifest.bytes), size: manifest.bytes.byteLength };
    await bytesOnce(context.images.configBytes(image.id), image.id);
    await bytesOnce(manifest.bytes, descriptor.digest);
    const references = [...names].map((name) => parseReference(name, host));
    for (const reference of references) {
      const annotations = { 'io.containerd.image.name': canonicalString(reference), 'org.opencontainers.image.ref.name': reference.tag ?? '' };
      index.push({ ...descriptor, annotations });
    }
    if (references.length === 0) index.push(descriptor);
    dockerManifest.push({
      Config: blobPath(image.id),
      RepoTags: references.length === 0 ? null : references.map((reference) => familiarString(reference, host)),
      Layers: image.layers.map((layer) => blobPath(layer.blob)),
    });
  }
  await writeJson(tar, 'index.json', { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: index });
  await writeJson(tar, 'manifest.json', dockerManifest);
  await writeJson(tar, 'oci-layout', { imageLayoutVersion: '1.0.0' });
  tar.finalize();
}

/** Archives of the same images are the same bytes. */
const epoch = new Date(0);

function writeDirectory(tar: Pack, name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    tar.entry({ name, type: 'directory', mode: 0o755, mtime: epoch }, (error) => (error ? reject(error) : resolve()));
  });
}

function writeBytes(tar: Pack, name: string, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    tar.entry({ name, mode: 0o644, mtime: epoch, size: bytes.byteLength }, Buffer.from(bytes), (error) => (error ? reject(error) : resolve()));
  });
}

function writeJson(tar: Pack, name: string, value: unknown): Promise<void> {
  return writeBytes(tar, name, new TextEncoder().encode(JSON.stringify(value)));
}
