import { isEngineError, nowMs } from '../../base/index.ts';
import type { Engine } from '../../engine/index.ts';
import type { ImageRecord, JsonObject } from '../../model/index.ts';
import { EngineError } from '../../base/index.ts';

function imageMessage(image: ImageRecord): Record<string, unknown> {
  const user = (image.config.config?.User ?? '').split(':', 1)[0] ?? '';
  return {
    id: image.id,
    repo_tags: [...image.repoTags],
    repo_digests: [...image.repoDigests],
    size: image.size,
    // Numeric or by name; without a user it is root, which the interface leaves unset.
    ...(/^\d{1,10}$/.test(user) ? { uid: { value: Number(user) } } : { username: user }),
    spec: { image: image.id },
  };
}

function find(engine: Engine, reference: string): ImageRecord | undefined {
  try {
    return engine.images.resolve(reference);
  } catch (error) {
    if (isEngineError(error, 'notFound')) return undefined;
    throw error;
  }
}

export function listImages(engine: Engine, request: JsonObject): Record<string, unknown> {
  const wanted = request.object('filter')?.object('image')?.string('image') ?? '';
  if (wanted === '') return { images: engine.images.list(new Map(), false).map(imageMessage) };
  const image = find(engine, wanted);
  return { images: image === undefined ? [] : [imageMessage(image)] };
}

/** An unknown image is no error: the answer has none. */
export function imageStatus(engine: Engine, request: JsonObject): Record<string, unknown> {
  const wanted = request.object('image')?.string('image') ?? '';
  if (wanted === '') throw new EngineError('invalidArgument', 'Cannot look up an image: its name is empty');
  const image = find(engine, wanted);
  if (image === undefined) return {};
  return { image: imageMessage(image), info: request.boolean('verbose') ? { imageSpec: JSON.stringify(image.config) } : {} };
}

export async function imageFsInfo(engine: Engine): Promise<Record<string, unknown>> {
  const [{ DockerRootDir: root }, { LayersSize: used }] = await Promise.all([engine.system.info(), engine.system.diskUsage()]);
  return {
    image_filesystems: [{
      timestamp: `${Math.floor(nowMs())}000000`,
      fs_id: { mountpoint: typeof root === 'string' ? root : '' },
      used_bytes: { value: typeof used === 'number' ? used : 0 },
    }],
  };
}
