import type { Readable } from 'node:stream';
import { digestHex, EngineError, isRecord, shortId } from '../base/index.ts';
import type { Digest } from '../base/index.ts';
import type { Descriptor, ImageRecord } from '../model/index.ts';
import { ArchiveFiles } from './archive-read.ts';
import { chainIds, digestOf } from './chain.ts';
import { travellingBlob } from './compression.ts';
import { hostPlatform, parseImageConfig } from './config.ts';
import { imageEvent } from './context.ts';
import type { ImageContext } from './context.ts';
import { loadEmbedded } from './embedded/load.ts';
import { isStringList, optionalString, parseJson } from './json.ts';
import { archiveImagesMax, indexDepthMax } from './limits.ts';
import { parseManifest, selectPlatform } from './manifest.ts';
import { isIndexType, isLayerType } from './media-types.ts';
import { canonicalString, familiarString, parseReference, withDefaultTag } from './reference.ts';
import type { Lease } from './store/collector.ts';
import type { StoredImage } from './store/image-store.ts';
import type { StoredLayer, StoredManifest } from './store/tables.ts';
import type { ProgressSink } from './types.ts';

/** An image as an archive describes it. */
interface ArchivedImage {
  readonly configBytes: Uint8Array;
  /** Names of files, bottom layer first, with the media type where the archive says one. */
  readonly layers: readonly { readonly file: string; readonly mediaType: string; readonly digest: Digest | undefined }[];
  readonly names: readonly string[];
  readonly manifest: StoredManifest | undefined;
}

interface LoadOptions {
  readonly tag: string;
  readonly type: 'oci' | 'embedded';
  readonly manifestPath?: string;
}

/**
 * `load`: archives of `docker save` (a manifest.json) and OCI image layouts (an index.json), plain or compressed.
 * @throws invalidArgument saying what the archive lacks
 */
export async function loadArchive(
  context: ImageContext,
  archive: Readable,
  options: LoadOptions,
  progress: ProgressSink,
  signal: AbortSignal,
): Promise<ImageRecord[]> {
  if (options.type === 'embedded') {
    if (options.tag !== '') throw new EngineError('invalidArgument', 'Cannot load an embedded image under another name: its manifest names it');
    return loadEmbedded(context, archive, options.manifestPath ?? '', progress, signal);
  }
  const tag = options.tag === '' ? undefined : canonicalString(withDefaultTag(parseReference(options.tag, context.options.defaultHost)));
  return context.collector.during(async (lease) => {
    const files = await ArchiveFiles.read(context, archive, lease, signal);
    const archived = await readArchive(context, files);
    if (archived.length === 0) throw new EngineError('invalidArgument', 'Cannot load the archive: it has no image');
    if (archived.length > archiveImagesMax) throw new EngineError('tooLarge', `Cannot load the archive: it has more than ${archiveImagesMax} images`);
    if (tag !== undefined && archived.length !== 1) {
      throw new EngineError('invalidArgument', `Cannot load the archive under the name ${options.tag}: it has ${archived.length} images`);
    }
    const loaded: StoredImage[] = [];
    for (const image of archived) {
      const names = tag === undefined ? image.names : [tag];
      const stored = await addArchived(context, { ...image, names }, files, lease, signal);
      loaded.push(stored);
      announce(context, stored, names, progress);
    }
    return loaded.map((image) => context.images.record(context.images.get(image.id) ?? image));
  });
}

function announce(context: ImageContext, image: StoredImage, names: readonly string[], progress: ProgressSink): void {
  const host = context.options.defaultHost;
  const shown = names.map((name) => familiarString(parseReference(name, host), host));
  for (const name of shown) progress({ stream: `Loaded image: ${name}\n` });
  if (shown.length === 0) progress({ stream: `Loaded image ID: ${image.id}\n` });
  imageEvent(context, 'load', image, shown[0] ?? image.id);
}

async function readArchive(context: ImageContext, files: ArchiveFiles): Promise<ArchivedImage[]> {
  if (files.has('manifest.json')) return readDockerArchive(context, files);
  if (files.has('index.json')) return readLayout(context, files);
  if (files.has('repositories')) {
    throw new EngineError(
      'unsupported',
      'Cannot load the archive: it has the format of docker before 1.10 (no manifest.json), which is not supported',
    );
  }
  throw new EngineError(
    'invalidArgument',
    'Cannot load the archive: it has neither a manifest.json (docker save) nor an index.json (OCI image layout)',
  );
}

async function readDockerArchive(context: ImageContext, files: ArchiveFiles): Promise<ArchivedImage[]> {
  const what = 'manifest.json of the archive';
  const list = parseJson(await files.document('manifest.json'), what);
  if (!Array.isArray(list)) throw new EngineError('invalidArgument', `Cannot read ${what}: not a list`);
  const images: ArchivedImage[] = [];
  for (const item of list.slice(0, archiveImagesMax + 1)) {
    if (!isRecord(item)) throw new EngineError('invalidArgument', `Cannot read ${what}: an entry is not an object`);
    const config = optionalString(item, 'Config', what) ?? '';
    const layers = item['Layers'] ?? [];
    const tags = item['RepoTags'] ?? [];
    if (!isStringList(layers) || !isStringList(tags)) {
      throw new EngineError('invalidArgument', `Cannot read ${what}: Layers or RepoTags is not a list of strings`);
    }
    images.push({
      configBytes: await files.document(config),
      layers: layers.map((file) => ({ file, mediaType: '', digest: undefined })),
      names: tags.map((name) => canonicalString(withDefaultTag(parseReference(name, context.options.defaultHost)))),
      manifest: undefined,
    });
  }
  return images;
}

function blobFile(digest: Digest): string {
  return `blobs/sha256/${digestHex(digest)}`;
}

async function readLayout(context: ImageContext, files: ArchiveFiles): Promise<ArchivedImage[]> {
  const document = parseManifest(await files.document('index.json'), 'application/vnd.oci.image.index.v1+json');
  if (document.kind !== 'index') throw new EngineError('invalidArgument', 'Cannot read index.json of the archive: it is no image index');
  const byId = new Map<Digest, ArchivedImage>();
  for (const descriptor of document.index.manifests) {
    const image = await readLayoutImage(files, descriptor, 0);
    const key = digestOf(image.configBytes);
    const known = byId.get(key);
    byId.set(key, { ...image, names: [...new Set([...(known?.names ?? []), ...layoutNames(context, descriptor)])] });
  }
  return [...byId.values()];
}

async function readLayoutImage(files: ArchiveFiles, descriptor: Descriptor, depth: number): Promise<ArchivedImage> {
  if (depth > indexDepthMax) throw new EngineError('invalidArgument', `Cannot load the archive: indexes nest deeper than ${indexDepthMax}`);
  const bytes = await verifiedDocument(files, descriptor);
  const document = parseManifest(bytes, descriptor.mediaType);
  if (document.kind === 'index') {
    const chosen = selectPlatform(document.index.manifests.filter((one) => files.has(blobFile(one.digest))), hostPlatform());
    if (!chosen) {
      throw new EngineError('notFound', `Cannot load the archive: no image for this host's platform in index ${shortId(descriptor.digest)}`);
    }
    return readLayoutImage(files, chosen, depth + 1);
  }
  const { manifest } = document;
  return {
    configBytes: await verifiedDocument(files, manifest.config),
    layers: manifest.layers.map((layer) => ({ file: blobFile(layer.digest), mediaType: layer.mediaType, digest: layer.digest })),
    names: [],
    manifest: { mediaType: manifest.mediaType, bytes },
  };
}

async function verifiedDocument(files: ArchiveFiles, descriptor: Descriptor): Promise<Uint8Array> {
  const bytes = await files.document(blobFile(descriptor.digest));
  if (digestOf(bytes) !== descriptor.digest) {
    throw new EngineError('invalidArgument', `Cannot load the archive: blob ${shortId(descriptor.digest)} does not hash to its name`);
  }
  return bytes;
}

/** Where layouts keep names: containerd's annotation has the whole reference, OCI's has what the writer thought fit. */
function layoutNames(context: ImageContext, descriptor: Descriptor): string[] {
  const full = descriptor.annotations?.['io.containerd.image.name'];
  const short = descriptor.annotations?.['org.opencontainers.image.ref.name'];
  // A bare tag is no name: nothing says of which repository.
  const name = full ?? (short !== undefined && /[:/]/.test(short) ? short : undefined);
  if (name === undefined || isIndexType(name)) return [];
  const reference = withDefaultTag(parseReference(name, context.options.defaultHost));
  return reference.tag === undefined ? [] : [canonicalString({ ...reference, digest: undefined })];
}

/** Puts one image in the store: its layers' blobs are there already (or small), each is unpacked once. */
async function addArchived(
  context: ImageContext,
  image: ArchivedImage,
  files: ArchiveFiles,
  lease: Lease,
  signal: AbortSignal,
): Promise<StoredImage> {
  const config = parseImageConfig(image.configBytes);
  const diffIds = config.rootfs.diff_ids;
  if (diffIds.length !== image.layers.length) {
    throw new EngineError(
      'invalidArgument',
      `Cannot load the archive: an image has ${image.layers.length} layers, its configuration lists ${diffIds.length}`,
    );
  }
  const chain = chainIds(diffIds);
  const layers: StoredLayer[] = [];
  for (const [index, { file, digest, mediaType }] of image.layers.entries()) {
    const [diffId, chainId] = [diffIds[index], chain[index]];
    if (diffId === undefined || chainId === undefined) break;
    const blob = await files.blob(file, signal);
    if (digest !== undefined && digest !== blob.digest) {
      throw new EngineError('invalidArgument', `Cannot load the archive: blob ${shortId(digest)} does not hash to its name`);
    }
    const travelling = image.manifest && isLayerType(mediaType) ? { ...blob, mediaType } : await travellingBlob(context, blob, lease, signal);
    const { digest: held, size: blobBytes } = travelling;
    const source = {
      chainId, diffId, below: chain.slice(0, index), blobBytes, open: () => context.blobs.read(held),
      // It was hashed a moment ago, unless it is small and was in the store before.
      ...(held === diffId && files.isStored(file) ? { verifiedTar: context.blobs.path(held) } : {}),
    };
    await context.unpackGate.run(() => context.unpacker.ensure(source, lease, signal));
    layers.push({ diffId, chainId, blob: travelling.digest, size: travelling.size, mediaType: travelling.mediaType });
  }
  const { configBytes, names, manifest } = image;
  return context.images.add({ id: digestOf(configBytes), configBytes, layers, names, ...(manifest ? { manifest } : {}) });
}
