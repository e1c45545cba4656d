import type { Readable } from 'node:stream';
import { asDigest, EngineError, formatTime, nowMs } from '../base/index.ts';
import type { DiffId, Digest } from '../base/index.ts';
import type { ImageConfigDocument, ImageConfigFields, ImageHistoryEntry, ImageRecord, Platform } from '../model/index.ts';
import { chainIds, digestOf } from './chain.ts';
import { applyChanges } from './changes.ts';
import { decompressed, travellingBlob } from './compression.ts';
import { hostPlatform, parsePlatform, platformOf } from './config.ts';
import { imageEvent, mustGet } from './context.ts';
import type { ImageContext } from './context.ts';
import { changesMax, layersMax } from './limits.ts';
import { canonicalString, familiarString, parseReference, withDefaultTag } from './reference.ts';
import type { Lease } from './store/collector.ts';
import type { StoredImage } from './store/image-store.ts';
import type { StoredLayer } from './store/tables.ts';
import type { CommitOptions, ImportOptions, ProgressSink } from './types.ts';

/** The name a new image gets, in canonical form. A digest cannot be given to what is only being made. */
function newName(context: ImageContext, text: string): string[] {
  if (text === '') return [];
  const reference = withDefaultTag(parseReference(text, context.options.defaultHost));
  if (reference.digest !== undefined) throw new EngineError('invalidArgument', 'invalid reference format: cannot import digest reference');
  return [canonicalString(reference)];
}

/** `import`: a tar of a root file system becomes an image of one layer. */
export async function importImage(
  context: ImageContext,
  archive: Readable,
  options: ImportOptions,
  progress: ProgressSink,
  signal: AbortSignal,
): Promise<ImageRecord> {
  const names = newName(context, options.reference);
  if (options.changes.length > changesMax) throw new EngineError('tooLarge', `more than ${changesMax} changes`);
  const config = applyChanges({}, options.changes);
  const platform = parsePlatform(options.platform);
  const image = await context.collector.during(async (lease) => {
    const layer = await storeLayer(context, archive, undefined, lease, signal);
    const created = formatTime(nowMs());
    const document = configDocument(platform, created, config, [layer.diffId], [{ created, comment: options.message }]);
    return addBuilt(context, document, [layer], names, undefined);
  });
  progress({ status: image.id });
  imageEvent(context, 'import', image, shownName(context, names) || image.id);
  return context.images.record(image);
}

/** `commit`: the parent's layers, one more, and the container's configuration. */
export async function commitImage(context: ImageContext, options: CommitOptions, signal: AbortSignal): Promise<ImageRecord> {
  const names = newName(context, options.reference);
  const config = applyChanges(options.config, options.changes);
  const parent = options.parent ? mustGet(context, options.parent.id) : undefined;
  const below = parent?.layers ?? [];
  if (below.length >= layersMax) {
    throw new EngineError('tooLarge', `Cannot commit: the image has ${below.length} layers, at most ${layersMax} are allowed`);
  }
  const image = await context.collector.during(async (lease) => {
    for (const { chainId, blob } of below) {
      lease.layers.add(chainId);
      lease.blobs.add(blob);
    }
    const layer = await storeLayer(context, options.layer, parent, lease, signal);
    return addBuilt(context, commitDocument(options, config, parent, layer), [...below, layer], names, parent);
  });
  imageEvent(context, 'commit', image, shownName(context, names) || image.id);
  return context.images.record(image);
}

function commitDocument(options: CommitOptions, config: ImageConfigFields, parent: StoredImage | undefined, layer: StoredLayer): ImageConfigDocument {
  const created = formatTime(nowMs());
  const entry: ImageHistoryEntry = { created, created_by: (options.config.Cmd ?? []).join(' ') };
  if (options.author !== '') entry.author = options.author;
  if (options.comment !== '') entry.comment = options.comment;
  const platform = parent ? platformOf(parent.config) : hostPlatform();
  const diffIds = [...(parent?.layers ?? []), layer].map((one) => one.diffId);
  const document = configDocument(platform, created, config, diffIds, [...(parent?.config.history ?? []), entry]);
  return options.author === '' ? document : { ...document, author: options.author };
}

function shownName(context: ImageContext, names: readonly string[]): string {
  const [name] = names;
  return name === undefined ? '' : familiarString(parseReference(name, context.options.defaultHost), context.options.defaultHost);
}

function configDocument(
  platform: Platform,
  created: string,
  config: ImageConfigFields,
  diffIds: DiffId[],
  history: ImageHistoryEntry[],
): ImageConfigDocument {
  return {
    architecture: platform.architecture,
    os: platform.os,
    ...(platform.variant === undefined ? {} : { variant: platform.variant }),
    created,
    config,
    rootfs: { type: 'layers', diff_ids: diffIds },
    history,
  };
}

function addBuilt(
  context: ImageContext,
  document: ImageConfigDocument,
  layers: StoredLayer[],
  names: string[],
  parent: StoredImage | undefined,
): Promise<StoredImage> {
  const configBytes = new TextEncoder().encode(JSON.stringify(document));
  return context.images.add({ id: digestOf(configBytes), configBytes, layers, names, ...(parent ? { parent: parent.id } : {}) });
}

/**
 * Stores a tar as it comes (compressed or not) and unpacks it on top of the parent's layers. Its diff ID is found while it is
 * written; unpacking reads it again, from the page cache.
 */
async function storeLayer(
  context: ImageContext,
  archive: Readable,
  parent: StoredImage | undefined,
  lease: Lease,
  signal: AbortSignal,
): Promise<StoredLayer> {
  const raw = await context.blobs.ingest(archive, { signal });
  lease.blobs.add(raw.digest);
  if (raw.size === 0) throw new EngineError('invalidArgument', 'Cannot make a layer: the archive is empty');
  const blob = await travellingBlob(context, raw, lease, signal);
  const diffId = blob.plain ? blob.digest : await hashOf(decompressed(context, blob.digest, signal));
  const under = parent?.layers ?? [];
  const chainId = chainIds([...under.map((layer) => layer.diffId), diffId]).at(-1) ?? diffId;
  const below = under.map((layer) => layer.chainId);
  const verified = blob.plain ? { verifiedTar: context.blobs.path(blob.digest) } : {};
  const source = { chainId, diffId, below, blobBytes: blob.size, open: () => context.blobs.read(blob.digest), ...verified };
  await context.unpackGate.run(() => context.unpacker.ensure(source, lease, signal));
  return { diffId, chainId, blob: blob.digest, size: blob.size, mediaType: blob.mediaType };
}

async function hashOf(source: AsyncIterable<Uint8Array>): Promise<Digest> {
  const hash = new Bun.CryptoHasher('sha256');
  for await (const chunk of source) hash.update(chunk);
  return asDigest(`sha256:${hash.digest('hex')}`);
}
