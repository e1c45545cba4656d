import { Readable } from 'node:stream';
import { EngineError, isEngineError, messageOf, shortId } from '../../base/index.ts';
import type { DiffId, Digest } from '../../base/index.ts';
import type { Descriptor, ImageRecord, Platform } from '../../model/index.ts';
import { chainIds, digestOf } from '../chain.ts';
import { parseImageConfig, parsePlatform } from '../config.ts';
import { imageEvent } from '../context.ts';
import type { ImageContext } from '../context.ts';
import { blobBytesMax, indexDepthMax } from '../limits.ts';
import { parseManifest, platformText, selectPlatform } from '../manifest.ts';
import type { Manifest } from '../manifest.ts';
import { isIndexType, isLayerType, isManifestType } from '../media-types.ts';
import { canonicalName, familiarName, parseReference, withDefaultTag } from '../reference.ts';
import type { ImageReference } from '../reference.ts';
import type { Lease } from '../store/collector.ts';
import type { StoredImage } from '../store/image-store.ts';
import type { StoredLayer } from '../store/tables.ts';
import type { ProgressSink, RegistryAuth } from '../types.ts';
import { openRepository } from './connect.ts';
import type { RegistryContext } from './connect.ts';
import { endpointsFor } from './endpoints.ts';
import { LayerProgress } from './progress.ts';
import type { FetchedManifest, ManifestReference, Repository } from './repository.ts';

export interface PullRequest {
  readonly reference: string;
  readonly all: boolean;
  readonly platform: string;
  readonly auth: RegistryAuth | undefined;
}

/** `pull`: one name, or with `all` every tag of a repository. @throws notFound, unauthorized, forbidden, unavailable, … */
export async function pullImages(
  context: RegistryContext,
  request: PullRequest,
  progress: ProgressSink,
  signal: AbortSignal,
): Promise<ImageRecord[]> {
  const { options } = context.images;
  const reference = parseReference(request.reference, options.defaultHost);
  if (request.all && (reference.tag !== undefined || reference.digest !== undefined)) {
    throw new EngineError('invalidArgument', 'tag can\'t be used with --all-tags/-a');
  }
  const platform = parsePlatform(request.platform);
  return tryEndpoints(context, reference, request.auth, async (repository) => {
    if (!request.all) return [await pullOne(context, repository, withDefaultTag(reference), platform, request.platform !== '', progress, signal)];
    const pulled: ImageRecord[] = [];
    for (const tag of await repository.tags(signal)) pulled.push(
      await pullOne(context, repository, { ...reference, tag }, platform, request.platform !== '', progress, signal),
    );
    return pulled;
  }, signal);
}

/** Mirrors first, each passed over when it fails; the registry itself has the last word. */
export async function tryEndpoints<T>(
  context: RegistryContext,
  reference: ImageReference,
  auth: RegistryAuth | undefined,
  work: (repository: Repository) => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  const { logger, options } = context.images;
  let failure: unknown = new EngineError('unavailable', `Cannot reach ${reference.domain}`);
  for (const endpoint of endpointsFor(reference.domain, options, 'read')) {
    try {
      const result = await work(openRepository(context, endpoint, reference, auth, 'pull'));
      if (endpoint.mirror) logger.info(`Registry mirror ${endpoint.host} answered for ${canonicalName(reference)}`);
      return result;
    } catch (error) {
      signal.throwIfAborted();
      if (endpoint.mirror) logger.warn(`Registry mirror ${endpoint.host} failed for ${canonicalName(reference)}: ${messageOf(error)}`);
      failure = error;
      // A full disk is full whoever is asked.
      if (isEngineError(error, 'resourceExhausted')) break;
    }
  }
  throw failure;
}

async function pullOne(
  context: RegistryContext,
  repository: Repository,
  reference: ImageReference,
  platform: Platform,
  platformGiven: boolean,
  progress: ProgressSink,
  signal: AbortSignal,
): Promise<ImageRecord> {
  const { images, options } = context.images;
  const shown = familiarName(reference, options.defaultHost);
  const label = reference.digest ?? reference.tag ?? '';
  const wanted: ManifestReference = reference.digest === undefined ? { tag: reference.tag ?? '' } : { digest: reference.digest };
  const separator = reference.digest === undefined ? ':' : '@';
  progress({ status: `Pulling from ${reference.domain === options.defaultHost ? reference.path : canonicalName(reference)}`, id: label });
  const current = await upToDate(context.images, repository, reference, wanted, platform, platformGiven, signal);
  const result = current ?? await fetchImage(context, repository, reference, wanted, platform, progress, signal);
  progress({ status: `Digest: ${result.digest}` });
  progress({ status: `Status: ${result.fresh ? 'Downloaded newer image' : 'Image is up to date'} for ${shown}${separator}${label}` });
  imageEvent(context.images, 'pull', result.image, `${shown}${separator}${label}`);
  return images.record(images.get(result.image.id) ?? result.image);
}

interface Pulled {
  readonly image: StoredImage;
  readonly digest: Digest;
  readonly fresh: boolean;
}

/** The short way: the registry has the very digest that the name has here. */
async function upToDate(
  context: ImageContext,
  repository: Repository,
  reference: ImageReference,
  wanted: ManifestReference,
  platform: Platform,
  platformGiven: boolean,
  signal: AbortSignal,
): Promise<Pulled | undefined> {
  const digest = 'digest' in wanted ? wanted.digest : (await repository.headManifest(wanted, signal))?.digest;
  const image = digest === undefined ? undefined : context.images.byName(`${canonicalName(reference)}@${digest}`);
  if (digest === undefined || !image) return undefined;
  const foreign = image.config.os !== platform.os || image.config.architecture !== platform.architecture;
  if (foreign && (platformGiven || isFromIndex(context, image, digest))) return undefined;
  if (!image.layers.every((layer) => context.snapshots.hasLayer(layer.chainId) && context.blobs.has(layer.blob))) return undefined;
  // A digest beside the tag is what counts: nobody said that the tag is there too.
  const tagged = reference.tag !== undefined && reference.digest === undefined;
  const name = tagged ? `${canonicalName(reference)}:${reference.tag}` : undefined;
  const moved = name !== undefined && context.images.byName(name)?.id !== image.id;
  if (name !== undefined && moved) await context.images.setName(name, image.id);
  return { image, digest, fresh: moved };
}

/** What has this digest in the registry offers other platforms too. */
function isFromIndex(context: ImageContext, image: StoredImage, digest: Digest): boolean {
  const manifest = context.images.manifest(image.id);
  return manifest !== undefined && digestOf(manifest.bytes) !== digest;
}

async function fetchImage(
  context: RegistryContext,
  repository: Repository,
  reference: ImageReference,
  wanted: ManifestReference,
  platform: Platform,
  progress: ProgressSink,
  signal: AbortSignal,
): Promise<Pulled> {
  const { images, collector } = context.images;
  const top = await repository.getManifest(wanted, signal);
  const { manifest, fetched } = await chooseManifest(repository, top, platform, 0, signal);
  checkLayers(manifest);
  const configBytes = await repository.getDocument(manifest.config.digest, manifest.config.size, signal);
  const config = parseImageConfig(configBytes);
  const diffIds = config.rootfs.diff_ids;
  if (diffIds.length !== manifest.layers.length) {
    throw new EngineError(
      'invalidArgument',
      `Cannot use the image: its manifest has ${manifest.layers.length} layers, its configuration lists ${diffIds.length}`,
    );
  }
  if (config.os !== '' && config.os !== 'linux') {
    throw new EngineError('unsupported', `image operating system "${config.os}" cannot be used on this platform`);
  }
  return collector.during(async (lease) => {
    const layers = await fetchLayers(context, repository, manifest.layers, diffIds, lease, progress, signal);
    const base = canonicalName(reference);
    const names = [`${base}@${top.digest}`, ...(reference.tag === undefined || reference.digest !== undefined ? [] : [`${base}:${reference.tag}`])];
    const image = await images.add({
      id: digestOf(configBytes), configBytes, layers, names, manifest: { mediaType: manifest.mediaType, bytes: fetched.bytes },
    });
    await images.rememberSource(layers.map((layer) => layer.blob), base);
    return { image, digest: top.digest, fresh: true };
  });
}

/** Follows indexes to the manifest of the platform. */
async function chooseManifest(
  repository: Repository,
  fetched: FetchedManifest,
  platform: Platform,
  depth: number,
  signal: AbortSignal,
): Promise<{ manifest: Manifest; fetched: FetchedManifest }> {
  const document = parseManifest(fetched.bytes, fetched.mediaType);
  if (document.kind === 'manifest') return { manifest: document.manifest, fetched };
  if (depth >= indexDepthMax) throw new EngineError('invalidArgument', `Cannot use the image: its indexes nest deeper than ${indexDepthMax}`);
  const candidates = document.index.manifests.filter((one) => isManifestType(one.mediaType) || isIndexType(one.mediaType));
  const chosen = selectPlatform(candidates, platform);
  if (!chosen) {
    const offered = candidates.flatMap((one) => (one.platform ? [platformText(one.platform)] : [])).slice(0, 20).join(', ');
    throw new EngineError(
      'notFound',
      `no matching manifest for ${platformText(platform)} in the manifest list entries${offered === '' ? '' : ` (there are ${offered})`}`,
    );
  }
  return chooseManifest(repository, await repository.getManifest({ digest: chosen.digest }, signal), platform, depth + 1, signal);
}

function checkLayers(manifest: Manifest): void {
  for (const layer of manifest.layers) {
    if (!isLayerType(layer.mediaType)) {
      throw new EngineError(
        'unsupported',
        `Cannot use the image: layer media type ${JSON.stringify(layer.mediaType.slice(0, 120))} is not supported`,
      );
    }
    if (layer.size > blobBytesMax) {
      throw new EngineError(
        'tooLarge',
        `Cannot use the image: layer ${shortId(layer.digest)} is said to have ${layer.size} bytes, at most ${blobBytesMax} are allowed`,
      );
    }
  }
}

/** Downloads in parallel; unpacks each layer as soon as it and those below it are there. */
async function fetchLayers(
  context: RegistryContext,
  repository: Repository,
  descriptors: readonly Descriptor[],
  diffIds: readonly DiffId[],
  lease: Lease,
  progress: ProgressSink,
  signal: AbortSignal,
): Promise<StoredLayer[]> {
  const { blobs, snapshots, unpacker, unpackGate } = context.images;
  const chain = chainIds(diffIds);
  const failed = new AbortController();
  const both = AbortSignal.any([signal, failed.signal]);
  const work = descriptors.map((descriptor, index) => {
    lease.blobs.add(descriptor.digest);
    const bar = new LayerProgress(shortId(descriptor.digest), descriptor.size, progress);
    const chainId = chain[index];
    const here = blobs.has(descriptor.digest) && chainId !== undefined && snapshots.hasLayer(chainId);
    if (here) bar.say('Already exists');
    else bar.say('Pulling fs layer');
    const fetched = here ? Promise.resolve() : context.downloads.fetch(descriptor, repository, bar, both).then(() => bar.say('Download complete'));
    fetched.catch((error: unknown) => failed.abort(error));
    return { descriptor, bar, here, fetched };
  });
  const layers: StoredLayer[] = [];
  try {
    for (const [index, { descriptor, bar, here, fetched }] of work.entries()) {
      const [diffId, chainId] = [diffIds[index], chain[index]];
      if (diffId === undefined || chainId === undefined) break;
      await fetched;
      const open = () => Readable.from(counted(blobs.read(descriptor.digest), bar), { objectMode: false });
      const source = { diffId, chainId, below: chain.slice(0, index), blobBytes: descriptor.size, open };
      await unpackGate.run(() => unpacker.ensure(source, lease, both));
      if (!here) bar.say('Pull complete');
      layers.push({ diffId, chainId, blob: descriptor.digest, size: descriptor.size, mediaType: descriptor.mediaType });
    }
    return layers;
  } catch (error) {
    // Another layer's failure comes here as the reason of the abort.
    failed.abort(error);
    await Promise.allSettled(work.map(({ fetched }) => fetched));
    signal.throwIfAborted();
    throw failed.signal.reason;
  }
}

async function* counted(source: AsyncIterable<Uint8Array>, bar: LayerProgress): AsyncGenerator<Uint8Array> {
  let read = 0;
  for await (const chunk of source) {
    read += chunk.byteLength;
    bar.extracting(read);
    yield chunk;
  }
}
