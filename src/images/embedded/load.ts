import { createReadStream, existsSync, lstatSync, mkdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import type { Readable } from 'node:stream';
import { EngineError, messageOf } from '../../base/index.ts';
import type { ImageConfigDocument, ImageRecord } from '../../model/index.ts';
import { treeSize } from '../../storage/index.ts';
import { digestOf } from '../chain.ts';
import { hostPlatform } from '../config.ts';
import { imageEvent } from '../context.ts';
import type { ImageContext } from '../context.ts';
import { documentBytesMax } from '../limits.ts';
import { canonicalString, familiarString, parseReference, withDefaultTag } from '../reference.ts';
import type { ProgressSink } from '../types.ts';
import { parseEmbeddedManifest } from './manifest.ts';
import type { EmbeddedLayer, EmbeddedManifest } from './manifest.ts';
import { runTool } from './tools.ts';

/**
 * `load --type embedded`: the archive is the manifest; its layers and its signature file (`NAME.sgn`: the manifest's sha256)
 * lie beside it on this host, at `manifestPath`.
 *
 * The layers become one ordinary layer of this store, so that such an image runs, is listed and removed like any other. They
 * are copied once here; the original mounts them at every start.
 * @throws invalidArgument in the words of the original; unsupported for the host's own root as root file system
 */
export async function loadEmbedded(
  context: ImageContext,
  archive: Readable,
  manifestPath: string,
  progress: ProgressSink,
  signal: AbortSignal,
): Promise<ImageRecord[]> {
  const bytes = await readManifest(archive);
  if (!manifestPath.startsWith('/') || !existsSync(manifestPath)) throw new EngineError('invalidArgument', 'Invalid manifest: manifest not found');
  const real = realpathSync(manifestPath);
  checkSignature(real, bytes);
  const manifest = parseEmbeddedManifest(bytes);
  const reference = withDefaultTag(parseReference(manifest.imageName, context.options.defaultHost));
  const name = canonicalString(reference);
  const id = digestOf(bytes);
  const chainId = digestOf(`embedded ${id}`);
  const configBytes = new TextEncoder().encode(JSON.stringify(configOf(manifest, chainId)));
  const imageId = digestOf(configBytes);
  const taken = context.images.byName(name);
  if (taken && taken.id !== imageId) {
    throw new EngineError('conflict', `Image name is conflicted: ${manifest.imageName} is the name of another image`);
  }
  const image = await context.collector.during(async (lease) => {
    lease.layers.add(chainId);
    if (!context.snapshots.hasLayer(chainId)) await unpack(context, manifest, dirname(real), chainId, signal);
    const layers = [{ diffId: chainId, chainId, blob: chainId, size: 0, mediaType: '' }];
    return context.images.add({ id: imageId, configBytes, layers, type: 'embedded', names: [name] });
  });
  const shown = familiarString(reference, context.options.defaultHost);
  progress({ stream: `Loaded image: ${shown}\n` });
  imageEvent(context, 'load', image, shown);
  return [context.images.record(image)];
}

async function readManifest(archive: Readable): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of archive) {
    if (!(chunk instanceof Uint8Array)) continue;
    size += chunk.byteLength;
    if (size > documentBytesMax) throw new EngineError('tooLarge', `Invalid manifest: larger than ${documentBytesMax} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function checkSignature(manifestPath: string, bytes: Uint8Array): void {
  const path = manifestPath.replace(/\.[^./]*$/, '').concat('.sgn');
  if (!existsSync(path)) throw new EngineError('invalidArgument', "Manifest's signature file not exist");
  if (statSync(path).size > 1024 || readFileSync(path, 'utf8').trim() !== digestOf(bytes)) {
    throw new EngineError('invalidArgument', 'Invalid manifest: invalid digest');
  }
}

function configOf(manifest: EmbeddedManifest, chainId: ReturnType<typeof digestOf>): ImageConfigDocument {
  const { os, architecture } = hostPlatform();
  return {
    architecture,
    os,
    created: manifest.created,
    config: {
      ...(manifest.env.length > 0 ? { Env: [...manifest.env] } : {}),
      ...(manifest.entrypoint.length > 0 ? { Entrypoint: [...manifest.entrypoint] } : {}),
      ...(manifest.workdir === '' ? {} : { WorkingDir: manifest.workdir }),
    },
    rootfs: { type: 'layers', diff_ids: [chainId] },
    history: [{ created: manifest.created, created_by: `embedded ${manifest.imageName}` }],
  };
}

async function unpack(
  context: ImageContext,
  manifest: EmbeddedManifest,
  directory: string,
  chainId: ReturnType<typeof digestOf>,
  signal: AbortSignal,
): Promise<void> {
  await using staging = await context.snapshots.stageLayer(chainId);
  for (const [index, layer] of manifest.layers.entries()) {
    signal.throwIfAborted();
    const source = await checkSource(layer, index, directory);
    const target = index === 0 ? staging.path : makeInside(staging.path, layer.pathInContainer);
    if (layer.kind === 'squashfs') await runTool(['unsquashfs', '-f', '-n', '-d', target, source], 'squashfs-tools', signal);
    else await runTool(['cp', '-a', '--reflink=auto', '--', `${source}/.`, target], 'coreutils', signal);
  }
  await staging.commit(await treeSize(staging.path, signal));
}

/** The file behind a layer, followed to where it really is, and checked. */
async function checkSource(layer: EmbeddedLayer, index: number, directory: string): Promise<string> {
  let real: string;
  try {
    real = realpathSync(index === 0 ? layer.pathInHost : join(directory, layer.pathInHost));
  } catch (error) {
    throw new EngineError('invalidArgument', 'Invalid content in manifest: layer not exists', { cause: messageOf(error) });
  }
  // The original allows one directory up: images of one product share files there.
  if (index > 0 && !`${real}/`.startsWith(`${dirname(directory).replace(/\/$/, '')}/`)) {
    throw new EngineError('invalidArgument', 'Invalid content in manifest: layer not exists');
  }
  const found = statSync(real);
  if (index === 0 && layer.kind === 'directory') {
    throw new EngineError('unsupported', 'Cannot load the embedded image: the host\'s own root as root file system is not supported');
  }
  if (index === 0 && !found.isBlockDevice()) throw new EngineError('invalidArgument', 'Invalid content in manifest: layer is not block device');
  if (index > 0 && layer.kind === 'squashfs' && !found.isFile()) {
    throw new EngineError('invalidArgument', 'Invalid content in manifest: layer(except first layer) is not a regular file');
  }
  if (layer.kind === 'directory' && !found.isDirectory()) {
    throw new EngineError('invalidArgument', 'Invalid content in manifest: layer(except first layer) is not a directory');
  }
  if (layer.digest !== undefined) {
    const hash = new Bun.CryptoHasher('sha256');
    for await (const chunk of createReadStream(real)) if (chunk instanceof Uint8Array) hash.update(chunk);
    if (`sha256:${hash.digest('hex')}` !== layer.digest) {
      throw new EngineError('invalidArgument', 'Invalid content in manifest: layer(except first layer) has invalid digest');
    }
  }
  return real;
}

/** Makes the directory for a layer below the root. A link that an earlier layer put on the way would lead out: it is refused. */
function makeInside(root: string, path: string): string {
  let at = root;
  for (const part of posix.normalize(path).split('/').filter((each) => each !== '')) {
    at = join(at, part);
    const found = lstatSync(at, { throwIfNoEntry: false });
    if (!found) mkdirSync(at, { mode: 0o755 });
    else if (!found.isDirectory()) {
      throw new EngineError('invalidArgument', `Invalid content in manifest: ${path} in the container leads through what is no directory`);
    }
  }
  return at;
}
