import type { Readable } from 'node:stream';
import { EngineError, Gate, Lane } from '../base/index.ts';
import type { IdMaps, ImageId, Logger } from '../base/index.ts';
import type { ImageRecord } from '../model/index.ts';
import type { SnapshotDriver } from '../storage/index.ts';
import type { StateDb } from '../state/index.ts';
import { checkStore } from './check.ts';
import { defaultImageOptions, imageEvent, refuseDamaged } from './context.ts';
import type { ImageContext, ImageOptions } from './context.ts';
import { commitImage, importImage } from './import.ts';
import { imageHistory, listImages } from './list.ts';
import { loadArchive } from './load.ts';
import { canonicalString, familiarString, isTag, parseRepository } from './reference.ts';
import type { RegistryContext } from './registry/connect.ts';
import { CredentialStore } from './registry/credentials.ts';
import { inspectDistribution } from './registry/distribution.ts';
import { Downloads } from './registry/download.ts';
import { login, logout } from './registry/login.ts';
import { openRemoteArchive } from './registry/remote-archive.ts';
import { pullImages } from './registry/pull.ts';
import { pushImages } from './registry/push.ts';
import { searchImages } from './registry/search.ts';
import { pruneImages, removeImage } from './remove.ts';
import { saveImages } from './save.ts';
import { BlobStore } from './store/blobs.ts';
import { Collector } from './store/collector.ts';
import { ImageStore } from './store/image-store.ts';
import { LayerUnpacker } from './store/layers.ts';
import { findDamage } from './store/verify.ts';
import type { ImageService } from './types.ts';

export interface ImageServiceParts {
  readonly graphRoot: string;
  readonly db: StateDb;
  readonly snapshots: SnapshotDriver;
  readonly logger: Logger;
  /** What is not given is as `defaultImageOptions` has it. */
  readonly options?: Partial<ImageOptions>;
  /** The daemon remaps users: layers are unpacked with the host's ids. */
  readonly ids?: IdMaps | undefined;
}

/** How long a download that broke off is kept to be gone on with. */
const partialKeptMs = 7 * 24 * 3600 * 1000;

/** Unpacking is bound by the disk and two cores' worth of hashing; more at once only makes each slower. */
const unpacksAtOnce = 3;

/** Opens the image side of the engine: reads what is stored; nothing is repaired before `recover`. */
export function openImageService(parts: ImageServiceParts): Promise<ImageService> {
  const options: ImageOptions = {
    ...defaultImageOptions,
    ...parts.options,
    transformation: { ...defaultImageOptions.transformation, ...parts.options?.transformation },
  };
  const { graphRoot, db, snapshots, logger } = parts;
  const images = new ImageStore(db, snapshots, options.defaultHost);
  const blobs = new BlobStore(graphRoot);
  const collector = new Collector(images, blobs, snapshots);
  const context: ImageContext = {
    graphRoot,
    db,
    images,
    blobs,
    snapshots,
    collector,
    unpacker: new LayerUnpacker(snapshots, collector, { bytesMax: options.layerBytesMax, ids: parts.ids }),
    unpackGate: new Gate(unpacksAtOnce),
    removals: new Lane(),
    options,
    logger,
    damaged: new Map(),
    uses: () => [],
    event: () => undefined,
  };
  const registry: RegistryContext = {
    images: context,
    credentials: new CredentialStore(graphRoot, logger),
    downloads: new Downloads(blobs, options.maxConcurrentDownloads),
  };
  return Promise.resolve(imageService(context, registry));
}

function imageService(context: ImageContext, registry: RegistryContext): ImageService {
  const { images } = context;
  return {
    resolve: (reference) => {
      const image = images.find(reference);
      refuseDamaged(context, image);
      return images.record(image);
    },
    get: (id) => recordOf(context, id),
    list: (filters, all) => listImages(context, filters, all),
    count: () => images.size,
    configBytes: (id) => images.configBytes(id),
    tag: (source, repository, tag) => tagImage(context, source, repository, tag),
    remove: (reference, options) => context.removals.run(() => removeImage(context, reference, options)),
    prune: (filters, options) => context.removals.run(async () => {
      const { reports, spaceReclaimed } = await pruneImages(context, filters, options ?? {});
      // What was fetched of images that never came to be has neither labels nor an age.
      if ([...filters.keys()].some((name) => name !== 'dangling')) return { reports, spaceReclaimed };
      const partial = context.blobs.clearPartial(Infinity, (digest) => registry.downloads.isFetching(digest), options?.dryRun);
      return { reports, spaceReclaimed: spaceReclaimed + partial };
    }),
    history: (reference) => imageHistory(context, reference),
    import: (archive, options, progress, signal) => importImage(context, archive, options, progress, timed(context, signal)),
    openRemoteArchive: (url, signal) => openRemoteArchive(context.options, url, timed(context, signal)),
    load: (archive: Readable, options, progress, signal) => loadArchive(context, archive, options, progress, timed(context, signal)),
    save: (references, signal) => saveImages(context, references, signal),
    commit: (options, signal) => commitImage(context, options, signal),
    pull: (request, progress, signal) => pullImages(registry, request, progress, timed(context, signal)),
    push: (request, progress, signal) => pushImages(registry, request, progress, timed(context, signal)),
    login: (auth, keep, signal) => login(registry, auth, keep, timed(context, signal)),
    logout: async (server) => logout(registry, server),
    search: (request, signal) => searchImages(registry, request, timed(context, signal)),
    distribution: (reference, auth, signal) => inspectDistribution(registry, reference, auth, timed(context, signal)),
    bind: (hooks) => {
      context.uses = hooks.uses;
      context.event = hooks.event;
    },
    collectLayers: async () => void (await context.collector.collect({ blobs: [], layers: context.snapshots.listLayers() })),
    check: (options, signal) => checkStore(context, options, signal),
    recover: () => recover(context),
    close: () => Promise.resolve(),
  };
}

function recordOf(context: ImageContext, id: ImageId): ImageRecord | undefined {
  const image = context.images.get(id);
  return image ? context.images.record(image) : undefined;
}

/** The caller's signal, cut off after `image-opt-timeout`. */
function timed(context: ImageContext, signal: AbortSignal): AbortSignal {
  const limitMs = context.options.imageOptTimeoutMs;
  if (limitMs <= 0) return signal;
  const limit = new AbortController();
  const why = new EngineError('timeout', `The operation was given up: it took longer than image-opt-timeout allows, ${limitMs / 1000} s`);
  setTimeout(() => limit.abort(why), limitMs).unref();
  return AbortSignal.any([signal, limit.signal]);
}

async function tagImage(context: ImageContext, source: string, repository: string, tag: string): Promise<void> {
  const image = context.images.find(source);
  const name = parseRepository(repository, context.options.defaultHost);
  const chosen = tag === '' ? 'latest' : tag;
  if (!isTag(chosen)) throw new EngineError('invalidArgument', `invalid tag format: ${JSON.stringify(chosen.slice(0, 80))}`);
  const reference = { ...name, tag: chosen };
  await context.images.setName(canonicalString(reference), image.id);
  imageEvent(context, 'tag', image, familiarString(reference, context.options.defaultHost));
}

/** Start-up: removes what was being written, and blobs and layers of no image. */
async function recover(context: ImageContext): Promise<void> {
  await context.blobs.clearIngest();
  context.blobs.clearPartial(Date.now() - partialKeptMs);
  const { layers, bytes } = await context.collector.collectAll();
  await context.images.forgetSources(new Set(context.blobs.digests()));
  if (layers.length > 0 || bytes > 0) context.logger.info(`Images: removed ${layers.length} layers that no image names, ${bytes} bytes in all`);
  if (!context.options.layerCheck) return;
  for (const [layer, why] of await findDamage(context, new AbortController().signal)) {
    context.damaged.set(layer, why);
    context.logger.error(`image-layer-check: ${why}`);
  }
}
