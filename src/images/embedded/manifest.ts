import { posix } from 'node:path';
import { EngineError, isDigest, isRecord } from '../../base/index.ts';
import type { Digest } from '../../base/index.ts';
import { isStringList, listAt, optionalString, parseJsonObject } from '../json.ts';

/**
 * The manifest of an embedded image (guide 1.3.6.2; the field names and media types are iSulad's):
 *
 *   { "schemaVersion": 1, "mediaType": "application/embedded.manifest+json", "created": …, "imageName": "test:v1",
 *     "config": { "env": […], "entrypoint": […], "workdir": … },
 *     "layers": [ { "mediaType": …, "digest": …, "size": …, "pathInHost": …, "pathInContainer": … }, … ] }
 *
 * The first layer is the root file system: a squashfs block device by its absolute path. The others are squashfs images or
 * directories beside the manifest (relative paths), each with its place in the container.
 */
export interface EmbeddedManifest {
  readonly imageName: string;
  readonly created: string;
  readonly env: readonly string[];
  readonly entrypoint: readonly string[];
  readonly workdir: string;
  readonly layers: readonly EmbeddedLayer[];
}

export interface EmbeddedLayer {
  readonly kind: 'squashfs' | 'directory';
  readonly digest: Digest | undefined;
  readonly pathInHost: string;
  readonly pathInContainer: string;
}

const manifestType = 'application/embedded.manifest+json';
const kinds: Readonly<Record<string, EmbeddedLayer['kind']>> = {
  'application/squashfs.image.rootfs.diff.img': 'squashfs',
  'application/bind.image.rootfs.diff.dir': 'directory',
};
const embeddedLayersMax = 125;
const pathLengthMax = 4096;

function wrong(why: string): EngineError {
  return new EngineError('invalidArgument', `Invalid content in manifest: ${why}`);
}

/** @throws invalidArgument `Invalid content in manifest: …` */
export function parseEmbeddedManifest(bytes: Uint8Array): EmbeddedManifest {
  const what = 'the embedded manifest';
  const document = parseJsonObject(bytes, what);
  if (document['schemaVersion'] !== 1) throw wrong('schema version must be 1');
  if (document['mediaType'] !== manifestType) throw wrong(`manifest's media type must be ${manifestType}`);
  const imageName = optionalString(document, 'imageName', what) ?? '';
  if (imageName === '') throw wrong('image name not exist');
  if (imageName === 'none' || imageName === 'none:latest') throw wrong("image name 'none' or 'none:latest' is reserved, please use other name");
  const created = optionalString(document, 'created', what) ?? '';
  if (Number.isNaN(Date.parse(created))) throw wrong('invalid created time');
  const items = listAt(document, 'layers', what, embeddedLayersMax);
  if (items.length === 0) throw wrong('layer empty');
  const config = document['config'];
  const fields = isRecord(config) ? config : {};
  const [env, entrypoint] = [fields['env'] ?? [], fields['entrypoint'] ?? []];
  if (!isStringList(env) || !isStringList(entrypoint)) throw wrong('config.env and config.entrypoint must be lists of strings');
  return { imageName, created, env, entrypoint, workdir: optionalString(fields, 'workdir', what) ?? '', layers: items.map(parseLayer) };
}

function parseLayer(item: unknown, index: number): EmbeddedLayer {
  const what = 'a layer of the embedded manifest';
  if (!isRecord(item)) throw wrong('a layer is not an object');
  const kind = kinds[optionalString(item, 'mediaType', what) ?? ''];
  if (kind === undefined) throw wrong(`layer's media type must be ${Object.keys(kinds).join(' or ')}`);
  const { size = 0 } = item;
  if (typeof size !== 'number' || size < 0) throw wrong("layer's size must not be negative number");
  const pathInHost = optionalString(item, 'pathInHost', what) ?? '';
  const pathInContainer = optionalString(item, 'pathInContainer', what) ?? '';
  const digest = optionalString(item, 'digest', what) ?? '';
  for (const path of [pathInHost, pathInContainer]) {
    if (path.length > pathLengthMax || path.includes('\0')) throw wrong('a path is too long, or has a NUL');
  }
  if (digest !== '' && !isDigest(digest)) throw wrong('layer has invalid digest');
  if (index === 0) {
    if (!pathInHost.startsWith('/')) throw wrong('first layer path in host must be absolute path');
    if (pathInContainer !== '') throw wrong('first layer path in container must be empty');
    if (digest !== '') throw wrong("first layer's digest must be empty");
  } else {
    if (pathInHost === '' || pathInHost.startsWith('/')) throw wrong('layer path in host(except first layer) must be relative path');
    if (posix.normalize(pathInHost).split('/')[0] === '..') throw wrong('layer path in host leaves the directory of the manifest');
    if (!pathInContainer.startsWith('/') || posix.normalize(pathInContainer) === '/') {
      throw wrong('layer path in container(except first layer) must be absolute path');
    }
    if (kind === 'directory' && digest !== '') throw wrong('layer digest must be empty if mediaType is application/bind.image.rootfs.diff.dir');
  }
  return { kind, digest: digest === '' || !isDigest(digest) ? undefined : digest, pathInHost, pathInContainer: posix.normalize(pathInContainer) };
}
