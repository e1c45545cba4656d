import { EngineError, Gate, shortId } from '../../base/index.ts';
import type { Digest } from '../../base/index.ts';
import { imageEvent } from '../context.ts';
import type { ImageContext } from '../context.ts';
import { gzipped } from '../layer/index.ts';
import { mediaTypes } from '../media-types.ts';
import { canonicalName, canonicalString, familiarString, parseReference, withDefaultTag } from '../reference.ts';
import type { ImageReference } from '../reference.ts';
import { manifestOf } from '../save.ts';
import type { Lease } from '../store/collector.ts';
import type { StoredImage } from '../store/image-store.ts';
import type { StoredLayer, StoredManifest } from '../store/tables.ts';
import type { ProgressSink, RegistryAuth } from '../types.ts';
import { openRepository } from './connect.ts';
import type { RegistryContext } from './connect.ts';
import { endpointsFor } from './endpoints.ts';
import { LayerProgress } from './progress.ts';
import type { Repository } from './repository.ts';

/** Repositories asked to give a blob over before it is uploaded. */
const mountsMax = 4;

/** `push`: one tag, or with `all` every tag of the repository that is here. @throws notFound, unauthorized, forbidden, unavailable */
export async function pushImages(
  context: RegistryContext,
  request: { reference: string; all: boolean; auth: RegistryAuth | undefined },
  progress: ProgressSink,
  signal: AbortSignal,
): Promise<void> {
  const { images, options } = context.images;
  const reference = parseReference(request.reference, options.defaultHost);
  if (reference.digest !== undefined) throw new EngineError('invalidArgument', 'cannot push a digest reference');
  if (request.all && reference.tag !== undefined) throw new EngineError('invalidArgument', 'tag can\'t be used with --all-tags/-a');
  const tags = request.all ? tagsOf(context.images, reference) : [withDefaultTag(reference)];
  const chosen = tags.map((tagged) => {
    const image = images.byName(canonicalString(tagged));
    if (!image) throw new EngineError('notFound', `An image does not exist locally with the tag: ${familiarString(tagged, options.defaultHost)}`);
    if (!image.layers.every((layer) => context.images.blobs.has(layer.blob))) {
      throw new EngineError(
        'unsupported',
        `Cannot push ${familiarString(tagged, options.defaultHost)}: it is an embedded image, or made of one, and no OCI image`,
      );
    }
    return { tagged, image };
  });
  if (chosen.length === 0) {
    throw new EngineError('notFound', `An image does not exist locally with the tag: ${familiarString(reference, options.defaultHost)}`);
  }
  progress({ status: `The push refers to repository [${canonicalName(reference)}]` });
  const [endpoint] = endpointsFor(reference.domain, options, 'write');
  if (!endpoint) throw new EngineError('unavailable', `Cannot reach ${reference.domain}`);
  const repository = openRepository(context, endpoint, reference, request.auth, 'pull,push');
  for (const { tagged, image } of chosen) {
    await context.images.collector.during((lease) => pushOne(context, repository, tagged, image, lease, progress, signal));
  }
}

function tagsOf(context: ImageContext, reference: ImageReference): ImageReference[] {
  const prefix = `${canonicalName(reference)}:`;
  return [...context.images.names()].filter(([name]) => name.startsWith(prefix) && !name.includes('@'))
    .map(([name]) => parseReference(name, context.options.defaultHost));
}

async function pushOne(
  context: RegistryContext,
  repository: Repository,
  reference: ImageReference,
  image: StoredImage,
  lease: Lease,
  progress: ProgressSink,
  signal: AbortSignal,
): Promise<void> {
  const { images } = context.images;
  for (const layer of image.layers) lease.blobs.add(layer.blob);
  const { layers, manifest } = await travelling(context.images, image, lease, progress, signal);
  const base = canonicalName(reference);
  const gate = new Gate(context.images.options.maxConcurrentUploads);
  const failed = new AbortController();
  const both = AbortSignal.any([signal, failed.signal]);
  const unique = [...new Map(layers.map((layer) => [layer.blob, layer])).values()];
  const bars = unique.map((layer) => new LayerProgress(shortId(layer.diffId), layer.size, progress));
  for (const bar of bars) bar.say('Preparing');
  const results = await Promise.allSettled(unique.map((layer, index) => gate.run(async () => {
    both.throwIfAborted();
    const bar = bars[index];
    if (bar) await pushLayer(context, repository, reference, layer, bar, both);
  }).catch((error: unknown) => {
    failed.abort(error);
    throw error;
  })));
  signal.throwIfAborted();
  if (results.some(({ status }) => status === 'rejected')) throw failed.signal.reason;
  await pushDocument(repository, image.id, images.configBytes(image.id), signal);
  const bytes = Uint8Array.from(manifest.bytes);
  const digest = await repository.putManifest({ tag: reference.tag ?? '' }, manifest.mediaType, bytes, signal);
  if (images.get(image.id)) await images.setName(`${base}@${digest}`, image.id);
  await images.rememberSource(layers.map((layer) => layer.blob), base);
  progress({ status: `${reference.tag ?? ''}: digest: ${digest} size: ${bytes.byteLength}` });
  progress({ aux: { Tag: reference.tag ?? '', Digest: digest, Size: bytes.byteLength } });
  imageEvent(context.images, 'push', image, familiarString(reference, context.images.options.defaultHost));
}

async function pushLayer(
  context: RegistryContext,
  repository: Repository,
  reference: ImageReference,
  layer: StoredLayer,
  bar: LayerProgress,
  signal: AbortSignal,
): Promise<void> {
  if (await repository.hasBlob(layer.blob, signal)) {
    bar.say('Layer already exists');
    return;
  }
  let location: URL | undefined;
  for (const source of mountSources(context.images, reference, layer.blob)) {
    location = await repository.mount(layer.blob, source, signal);
    if (!location) {
      bar.say(`Mounted from ${source}`);
      return;
    }
  }
  const file = Bun.file(context.images.blobs.path(layer.blob));
  bar.pushing(0);
  await repository.upload(location ?? await repository.beginUpload(signal), file, layer.blob, (sent) => bar.pushing(sent), signal);
  bar.say('Pushed');
}

/** Other repositories of the same registry that are known to have the blob. */
function mountSources(context: ImageContext, reference: ImageReference, blob: Digest): string[] {
  const prefix = `${reference.domain}/`;
  return context.images.sources(blob).filter((source) => source.startsWith(prefix) && source !== canonicalName(reference))
    .map((source) => source.slice(prefix.length)).slice(0, mountsMax);
}

async function pushDocument(repository: Repository, digest: Digest, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
  if (await repository.hasBlob(digest, signal)) return;
  const source = { size: bytes.byteLength, slice: (begin: number, end: number) => new Blob([Uint8Array.from(bytes.subarray(begin, end))]) };
  await repository.upload(await repository.beginUpload(signal), source, digest, () => undefined, signal);
}

/**
 * What goes over the wire: of a pulled image the very manifest and blobs that came. Plain layers of other images are compressed
 * once, and kept so, in place of the plain form: the next push has nothing to compress and gives the same digests.
 */
async function travelling(
  context: ImageContext,
  image: StoredImage,
  lease: Lease,
  progress: ProgressSink,
  signal: AbortSignal,
): Promise<{ layers: readonly StoredLayer[]; manifest: StoredManifest }> {
  const current = context.images.get(image.id) ?? image;
  if (context.images.manifest(image.id) || current.layers.every((layer) => layer.mediaType !== mediaTypes.ociLayer)) {
    return { layers: current.layers, manifest: manifestOf(context, current) };
  }
  const layers: StoredLayer[] = [];
  for (const layer of current.layers) {
    if (layer.mediaType !== mediaTypes.ociLayer) {
      layers.push(layer);
      continue;
    }
    new LayerProgress(shortId(layer.diffId), layer.size, progress).say('Preparing');
    layers.push(await compressLayer(context, layer, lease, signal));
  }
  const packed = { ...current, layers };
  const manifest = manifestOf(context, packed);
  await context.images.replaceLayers(image.id, layers, manifest);
  return { layers, manifest };
}

async function compressLayer(context: ImageContext, layer: StoredLayer, lease: Lease, signal: AbortSignal): Promise<StoredLayer> {
  const known = context.images.packedForm(layer.diffId);
  if (known && context.blobs.has(known.blob)) {
    lease.blobs.add(known.blob);
    return { ...layer, blob: known.blob, size: known.size, mediaType: known.mediaType };
  }
  const hash = new Bun.CryptoHasher('sha256');
  const plain = context.blobs.read(layer.blob).on('data', (chunk) => hash.update(chunk));
  const blob = await context.blobs.ingest(gzipped(plain), { signal });
  lease.blobs.add(blob.digest);
  if (`sha256:${hash.digest('hex')}` !== layer.diffId) {
    const advice = 'what is stored of it is damaged (see isula system check --content)';
    throw new EngineError('internal', `Cannot push layer ${shortId(layer.diffId)}: ${advice}`);
  }
  return { ...layer, blob: blob.digest, size: blob.size, mediaType: `${mediaTypes.ociLayer}+gzip` };
}
