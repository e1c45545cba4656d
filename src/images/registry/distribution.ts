import type { Platform } from '../../model/index.ts';
import { parseImageConfig, platformOf } from '../config.ts';
import { parseManifest } from '../manifest.ts';
import { parseReference, withDefaultTag } from '../reference.ts';
import type { RegistryAuth } from '../types.ts';
import type { RegistryContext } from './connect.ts';
import { tryEndpoints } from './pull.ts';

/** What the registry has under a name, without pulling it (moby API: GET /distribution/{name}/json). */
export interface DistributionInspect {
  readonly Descriptor: { readonly mediaType: string; readonly digest: string; readonly size: number };
  readonly Platforms: readonly Platform[];
}

export function inspectDistribution(
  context: RegistryContext,
  text: string,
  auth: RegistryAuth | undefined,
  signal: AbortSignal,
): Promise<DistributionInspect> {
  const reference = withDefaultTag(parseReference(text, context.images.options.defaultHost));
  return tryEndpoints(context, reference, auth, async (repository) => {
    const fetched = await repository.getManifest(
      reference.digest === undefined ? { tag: reference.tag ?? '' } : { digest: reference.digest },
      signal,
    );
    const document = parseManifest(fetched.bytes, fetched.mediaType);
    const mediaType = document.kind === 'index' ? document.index.mediaType : document.manifest.mediaType;
    const descriptor = { mediaType, digest: fetched.digest, size: fetched.bytes.byteLength };
    if (document.kind === 'index') {
      return { Descriptor: descriptor, Platforms: document.index.manifests.flatMap((one) => (one.platform ? [one.platform] : [])) };
    }
    const { config } = document.manifest;
    const image = parseImageConfig(await repository.getDocument(config.digest, config.size, signal));
    return { Descriptor: descriptor, Platforms: [platformOf(image)] };
  }, signal);
}
