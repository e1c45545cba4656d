import { EngineError, isDigest, isRecord } from '../base/index.ts';
import type { Descriptor, Platform } from '../model/index.ts';
import { isStringMap, listAt, optionalString, parseJsonObject } from './json.ts';
import { indexManifestsMax, layersMax } from './limits.ts';
import { isIndexType, isManifestType, mediaTypes } from './media-types.ts';

/** An image manifest (OCI image specification, "Image Manifest"; Docker's schema 2 has the same shape). */
export interface Manifest {
  readonly mediaType: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

/** An image index, or Docker's manifest list. */
export interface ImageIndex {
  readonly mediaType: string;
  readonly manifests: readonly Descriptor[];
}

export type ManifestDocument = { readonly kind: 'manifest'; readonly manifest: Manifest } | { readonly kind: 'index'; readonly index: ImageIndex };

/**
 * Reads a manifest or an index. `declared`: the media type it was served as; what the document says of itself comes first.
 * @throws invalidArgument; unsupported for schema 1 and for artifacts that are no images
 */
export function parseManifest(bytes: Uint8Array, declared: string): ManifestDocument {
  const what = 'the manifest';
  const document = parseJsonObject(bytes, what);
  const own = optionalString(document, 'mediaType', what);
  if (document['schemaVersion'] === 1 || declared === mediaTypes.dockerSchema1 || declared === mediaTypes.dockerSchema1Signed) {
    throw new EngineError(
      'unsupported',
      'Cannot use the manifest: Docker image format v1 (schema 1) is not supported; push the image again with a current tool',
    );
  }
  if (document['schemaVersion'] !== 2) throw new EngineError('invalidArgument', 'Cannot read the manifest: "schemaVersion" is not 2');
  const mediaType = own ?? (declared === '' ? guessType(document) : declared);
  // A document that could be taken for both is refused (OCI distribution specification 1.1, CVE-2021-41190).
  if ('manifests' in document && ('layers' in document || 'config' in document)) {
    throw new EngineError('invalidArgument', 'Cannot read the manifest: it is both an image manifest and an index');
  }
  if (isIndexType(mediaType)) {
    const manifests = listAt(document, 'manifests', what, indexManifestsMax).map((item) => parseDescriptor(item, 'manifests'));
    return { kind: 'index', index: { mediaType, manifests } };
  }
  if (!isManifestType(mediaType)) {
    throw new EngineError('unsupported', `Cannot use the manifest: media type ${JSON.stringify(mediaType.slice(0, 120))} is no image`);
  }
  const layers = listAt(document, 'layers', what, layersMax).map((item) => parseDescriptor(item, 'layers'));
  return { kind: 'manifest', manifest: { mediaType, config: parseDescriptor(document['config'], 'config'), layers } };
}

function guessType(document: Record<string, unknown>): string {
  return 'manifests' in document ? mediaTypes.ociIndex : mediaTypes.ociManifest;
}

function parseDescriptor(value: unknown, key: string): Descriptor {
  const what = 'the manifest';
  if (!isRecord(value)) throw new EngineError('invalidArgument', `Cannot read ${what}: "${key}" is not a descriptor`);
  const digest = optionalString(value, 'digest', what) ?? '';
  if (!isDigest(digest)) {
    throw new EngineError('invalidArgument', `Cannot read ${what}: digest ${JSON.stringify(digest.slice(0, 80))} in "${key}" is not a sha256 digest`);
  }
  const size = value['size'];
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) {
    throw new EngineError('invalidArgument', `Cannot read ${what}: "${key}" has no valid size`);
  }
  const annotations = value['annotations'];
  const platform = parsePlatformObject(value['platform']);
  return {
    mediaType: optionalString(value, 'mediaType', what) ?? '',
    digest,
    size,
    ...(isStringMap(annotations) ? { annotations } : {}),
    ...(platform ? { platform } : {}),
  };
}

function parsePlatformObject(value: unknown): Platform | undefined {
  if (!isRecord(value)) return undefined;
  const { os, architecture, variant } = value;
  if (typeof os !== 'string' || typeof architecture !== 'string') return undefined;
  return { os, architecture, ...(typeof variant === 'string' && variant !== '' ? { variant } : {}) };
}

/** The best manifest of an index for a platform; undefined: none fits. A variant that was not asked for fits in order of the list. */
export function selectPlatform(manifests: readonly Descriptor[], wanted: Platform): Descriptor | undefined {
  // Attestations (buildkit) are listed as unknown/unknown.
  const fitting = manifests.filter(({ platform }) => platform?.os === wanted.os && platform.architecture === wanted.architecture);
  const variants = acceptedVariants(wanted);
  if (variants.length > 0) {
    for (const variant of variants) {
      const found = fitting.find(({ platform }) => (platform?.variant ?? '') === variant);
      if (found) return found;
    }
    if (wanted.variant !== undefined) return undefined;
  }
  if (fitting.length > 0) return fitting[0];
  // An index of one image that names no platform at all.
  const [only] = manifests;
  return manifests.length === 1 && only !== undefined && only.platform === undefined ? only : undefined;
}

/** Variants that run where `wanted` does, best first (arm v7 runs v6 and v5). */
function acceptedVariants(wanted: Platform): string[] {
  if (wanted.architecture === 'arm') {
    const all = ['v8', 'v7', 'v6', 'v5'];
    return [...all.slice(Math.max(0, all.indexOf(wanted.variant ?? 'v7'))), ''];
  }
  if (wanted.architecture === 'arm64') {
    return [wanted.variant ?? 'v8', ...(wanted.variant === undefined || wanted.variant === 'v8' ? ['v8', ''] : [])];
  }
  if (wanted.variant !== undefined) return [wanted.variant];
  return ['', 'v1'];
}

export function platformText(platform: Platform): string {
  return [platform.os, platform.architecture, ...(platform.variant === undefined ? [] : [platform.variant])].join('/');
}
