import { readdirSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { digestHex, isDigest, messageOf, shortId } from '../base/index.ts';
import type { ChainId, Digest } from '../base/index.ts';
import type { ImageContext } from './context.ts';
import type { StoredImage } from './store/image-store.ts';
import type { StoredLayer } from './store/tables.ts';
import { findDamage } from './store/verify.ts';
import type { StoreCheckOptions, StoreProblem } from './types.ts';

/**
 * Compares blobs and layers with what images, running operations and containers need. With `repair`, what belongs to nothing goes, and
 * layers that are missing or damaged are unpacked again from their blobs; what only a registry can give back is reported.
 */
export async function checkStore(context: ImageContext, options: StoreCheckOptions, signal: AbortSignal): Promise<StoreProblem[]> {
  const strays = [...(await foreignFiles(context, options)), ...(await unowned(context, options))];
  const blobs = await brokenBlobs(context, options, signal);
  return [...strays, ...blobs.values(), ...(await brokenLayers(context, options, new Set(blobs.keys()), signal))];
}

/** Files below `blobs/` that are no blobs of this store. */
async function foreignFiles(context: ImageContext, { repair }: StoreCheckOptions): Promise<StoreProblem[]> {
  const { blobs } = context;
  const root = join(context.graphRoot, 'blobs');
  const paths = [
    ...namesOther(root, (name) => ['sha256', 'ingest', 'partial'].includes(name)),
    ...namesOther(join(root, 'sha256'), (name) => asBlob(name, (digest) => blobs.has(digest))),
    ...namesOther(join(root, 'ingest'), (name) => blobs.isTemporary(name)),
    ...namesOther(join(root, 'partial'), (name) => asBlob(name, () => true)),
  ];
  const problems: StoreProblem[] = [];
  for (const path of paths) {
    if (repair) await rm(path, { recursive: true, force: true });
    problems.push({ kind: 'blob', path, detail: 'belongs to nothing', repaired: repair });
  }
  return problems;
}

function namesOther(directory: string, isKnown: (name: string) => boolean): string[] {
  return readdirSync(directory).filter((name) => !isKnown(name)).map((name) => join(directory, name));
}

function asBlob(name: string, isKnown: (digest: Digest) => boolean): boolean {
  const digest = `sha256:${name}`;
  return isDigest(digest) && isKnown(digest);
}

/** Blobs and layers of the store that no image, operation or container needs. */
async function unowned(context: ImageContext, { repair }: StoreCheckOptions): Promise<StoreProblem[]> {
  const { blobs, layers } = context.collector.unowned();
  if (repair) await context.collector.collect({ blobs, layers });
  const detail = 'belongs to no image';
  return [
    ...blobs.map((blob) => ({ kind: 'blob', path: context.blobs.path(blob), detail, repaired: !context.blobs.has(blob) })),
    ...layers.map((layer) => ({ kind: 'layer', path: layerDirectory(context, layer), detail, repaired: !context.snapshots.hasLayer(layer) })),
  ];
}

function layerDirectory(context: ImageContext, layer: ChainId): string {
  return join(context.graphRoot, 'storage', context.snapshots.name, 'layers', digestHex(layer));
}

/** Each blob once, with an image that needs it. */
function neededBlobs(context: ImageContext): Map<Digest, { layer: StoredLayer; image: StoredImage }> {
  const needed = new Map<Digest, { layer: StoredLayer; image: StoredImage }>();
  for (const image of context.images.all()) {
    for (const layer of image.layers) if (image.type !== 'embedded' && layer.size > 0) needed.set(layer.blob, { layer, image });
  }
  return needed;
}

async function brokenBlobs(context: ImageContext, options: StoreCheckOptions, signal: AbortSignal): Promise<Map<Digest, StoreProblem>> {
  const problems = new Map<Digest, StoreProblem>();
  for (const [digest, { layer, image }] of neededBlobs(context)) {
    signal.throwIfAborted();
    const wrong = await blobFault(context.blobs.path(digest), digest, layer.size, options.content);
    // An image that was removed meanwhile needs it no more.
    if (wrong === undefined || !context.images.get(image.id)) continue;
    const detail = `${wrong}: image ${shortId(image.id)} cannot be pushed or saved, remove it and get it again`;
    problems.set(digest, { kind: 'blob', path: context.blobs.path(digest), detail, repaired: false });
  }
  return problems;
}

async function blobFault(path: string, digest: Digest, size: number, content: boolean): Promise<string | undefined> {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found) return 'is missing';
  if (!found.isFile() || found.size !== size) return `has ${found.size} bytes instead of ${size}`;
  if (!content) return undefined;
  const hash = new Bun.CryptoHasher('sha256');
  try {
    for await (const chunk of Bun.file(path).stream()) hash.update(chunk);
  } catch (error) {
    return `cannot be read (${messageOf(error)})`;
  }
  const real = `sha256:${hash.digest('hex')}`;
  return real === digest ? undefined : `hashes to ${shortId(real)} instead of ${basename(path).slice(0, 12)}`;
}

/** Layers that images lack or that are known to be damaged, and with `content` those whose files are not what the blob says. */
async function brokenLayers(
  context: ImageContext, options: StoreCheckOptions, brokenBlobs: ReadonlySet<Digest>, signal: AbortSignal,
): Promise<StoreProblem[]> {
  const damaged = options.content ? await findDamage(context, signal) : new Map([...context.damaged, ...findMissing(context)]);
  const problems: StoreProblem[] = [];
  for (const [chainId, why] of damaged) {
    const image = [...context.images.all()].find(({ layers }) => layers.some((layer) => layer.chainId === chainId));
    const index = image?.layers.findIndex((layer) => layer.chainId === chainId) ?? -1;
    const layer = image?.layers[index];
    if (!image || !layer) continue;
    const isBlobWhole = context.blobs.has(layer.blob) && !brokenBlobs.has(layer.blob);
    // Without its blob nothing can be said of a layer that is there.
    if (!isBlobWhole && context.snapshots.hasLayer(chainId)) continue;
    const repaired = options.repair && isBlobWhole && (await unpackAgain(context, image.layers, index, signal));
    if (repaired) context.damaged.delete(chainId);
    else context.damaged.set(chainId, why);
    problems.push({ kind: 'layer', path: layerDirectory(context, chainId), detail: `${why}, of image ${shortId(image.id)}`, repaired });
  }
  return problems;
}

function findMissing(context: ImageContext): Map<ChainId, string> {
  const missing = new Map<ChainId, string>();
  for (const image of context.images.all()) {
    for (const { chainId } of image.layers) if (!context.snapshots.hasLayer(chainId)) missing.set(chainId, `layer ${shortId(chainId)} is missing`);
  }
  return missing;
}

/** False where a container stands on the layer, or it cannot be unpacked. */
async function unpackAgain(context: ImageContext, layers: readonly StoredLayer[], index: number, signal: AbortSignal): Promise<boolean> {
  const layer = layers[index];
  if (!layer) return false;
  const { chainId, diffId, blob } = layer;
  try {
    // The blob must be whole: after this the layer has nothing else to come from.
    if ((await blobFault(context.blobs.path(blob), blob, layer.size, true)) !== undefined) return false;
    if (context.snapshots.hasLayer(chainId)) await context.snapshots.removeLayer(chainId);
    const below = layers.slice(0, index).map((one) => one.chainId);
    const source = { chainId, diffId, below, blobBytes: layer.size, open: () => context.blobs.read(blob) };
    await context.collector.during((lease) => context.unpackGate.run(() => context.unpacker.ensure(source, lease, signal)));
    return true;
  } catch (error) {
    signal.throwIfAborted();
    context.logger.warn(`Cannot unpack layer ${shortId(chainId)} again: ${messageOf(error)}`);
    return false;
  }
}
