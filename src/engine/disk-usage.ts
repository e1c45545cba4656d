import type { EngineContext } from './context.ts';
import { summarizeContainer } from './inspect.ts';
import { nowMs } from '../base/index.ts';

/** moby: SystemDataUsageResponse. Shared layers are counted once in LayersSize. */
export async function diskUsage(ctx: EngineContext): Promise<Record<string, unknown>> {
  const layers = ctx.snapshots.listLayers();
  const images = ctx.images.list(new Map(), true);
  const users = new Map<string, number>();
  for (const image of images) for (const layer of image.layers) users.set(layer, (users.get(layer) ?? 0) + 1);
  const containers = ctx.store.all();
  const now = nowMs();
  const volumes = await ctx.volumes.operations.list(new Map());
  return {
    LayersSize: layers.reduce((sum, layer) => sum + ctx.snapshots.layerSize(layer), 0),
    Images: images.map((image) => ({
      Id: image.id,
      ParentId: '',
      RepoTags: [...image.repoTags],
      RepoDigests: [...image.repoDigests],
      Created: Math.floor(Date.parse(image.config.created ?? '') / 1000) || 0,
      Size: image.size,
      SharedSize: image.layers.reduce((sum, layer) => sum + ((users.get(layer) ?? 0) > 1 ? ctx.snapshots.layerSize(layer) : 0), 0),
      Labels: image.config.config?.Labels ?? {},
      Containers: containers.filter((container) => container.record.imageId === image.id).length,
    })),
    Containers: await Promise.all(containers.map((container) => summarizeContainer(ctx, container, now, true))),
    Volumes: await Promise.all(volumes.Volumes.map((volume) => ctx.volumes.withUsage(volume))),
    BuildCache: [],
    BuilderSize: 0,
  };
}
