import { EngineError, shortId } from '../base/index.ts';
import type { ContainerConfig, ImageConfigFields } from '../model/index.ts';
import { packLayer } from '../images/layer/index.ts';
import type { Container } from './container.ts';
import type { EngineContext } from './context.ts';
import { ownMountPoints, refuseExternal } from './files.ts';
import { publish } from './publish.ts';
import { freezeContainer } from './root-access.ts';
import type { ContainerCommitRequest } from './types.ts';

/** An image of the container's image and its changes. In the lane: it neither stops nor starts meanwhile. */
export async function commitContainer(
  ctx: EngineContext, container: Container, request: ContainerCommitRequest, signal: AbortSignal,
): Promise<{ Id: string }> {
  refuseExternal(container, 'commit');
  return container.lane.run(async () => {
    const { record } = container;
    const parent = record.imageId === '' ? undefined : ctx.images.get(record.imageId);
    if (record.imageId !== '' && !parent) {
      throw new EngineError('conflict', `Cannot commit container ${container.name}: its image ${shortId(record.imageId)} was removed`);
    }
    await using _frozen = request.pause ? await freezeContainer(ctx, container) : undefined;
    const layer = packLayer(ctx.snapshots.upperPath(container.id), {
      form: 'oci-layer', hidden: ownMountPoints(ctx, container), ids: ctx.options.idMaps, signal,
    });
    const { reference, author, comment, changes } = request;
    const config = imageFields(request.config ?? record.config);
    const image = await ctx.images.commit({ reference, author, comment, changes, config, parent, layer }, signal);
    publish(ctx, container, 'commit', { imageID: image.id });
    return { Id: image.id };
  });
}

/** What of a container's configuration an image keeps. */
function imageFields(config: ContainerConfig): ImageConfigFields {
  return {
    User: config.User,
    Env: config.Env,
    Cmd: config.Cmd,
    Entrypoint: config.Entrypoint,
    WorkingDir: config.WorkingDir,
    Labels: config.Labels,
    StopSignal: config.StopSignal,
    ...(config.Volumes && Object.keys(config.Volumes).length > 0 ? { Volumes: config.Volumes } : {}),
    ...(config.ExposedPorts ? { ExposedPorts: config.ExposedPorts } : {}),
    ...(config.Healthcheck ? { Healthcheck: config.Healthcheck } : {}),
    ...(config.Shell ? { Shell: config.Shell } : {}),
    ...(config.OnBuild ? { OnBuild: config.OnBuild } : {}),
  };
}
