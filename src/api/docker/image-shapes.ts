import { formatTime, zeroTime } from '../../base/index.ts';
import type { ImageRecord } from '../../model/index.ts';
import type { ApiVersion } from './version.ts';

/** A row of GET /images/json (moby: ImageSummary) for the client's version. */
export function imageSummary(image: ImageRecord, version: ApiVersion): Record<string, unknown> {
  const created = Date.parse(image.config.created ?? '');
  // Before API 1.43 an image without a name was shown under this one.
  const untagged = (missing: string): string[] => (version.atLeast('1.43') ? [] : [missing]);
  return {
    Id: image.id,
    ParentId: image.parent ?? '',
    RepoTags: image.repoTags.length > 0 ? image.repoTags : untagged('<none>:<none>'),
    RepoDigests: image.repoDigests.length > 0 || image.repoTags.length > 0 ? image.repoDigests : untagged('<none>@<none>'),
    Created: Number.isNaN(created) ? 0 : Math.floor(created / 1000),
    Size: image.size,
    SharedSize: -1,
    ...(version.atLeast('1.44') ? {} : { VirtualSize: image.size }),
    Labels: image.config.config?.Labels ?? null,
    Containers: -1,
    // isula
    Type: image.type,
  };
}

/** GET /images/{name}/json (moby: ImageInspect) for the client's version. */
export function imageInspect(image: ImageRecord, driver: string, version: ApiVersion): Record<string, unknown> {
  const { config } = image;
  return {
    Id: image.id,
    RepoTags: image.repoTags,
    RepoDigests: image.repoDigests,
    Parent: image.parent ?? '',
    // Docker: what commit and import write stands with the last step.
    Comment: config.comment || (config.history?.at(-1)?.comment ?? ''),
    // Until API 1.44 a missing time was Go's zero time.
    ...(config.created !== undefined ? { Created: config.created } : version.atLeast('1.44') ? {} : { Created: zeroTime }),
    ...(version.atLeast('1.45') ? {} : { Container: '', ContainerConfig: configShape({}) }),
    DockerVersion: config.docker_version ?? '',
    Author: config.author ?? '',
    Config: configShape(config.config ?? {}),
    Architecture: config.architecture,
    ...(config.variant === undefined ? {} : { Variant: config.variant }),
    Os: config.os,
    Size: image.size,
    ...(version.atLeast('1.44') ? {} : { VirtualSize: image.size }),
    GraphDriver: { Data: null, Name: driver },
    RootFS: { Type: 'layers', ...(config.rootfs.diff_ids.length > 0 ? { Layers: config.rootfs.diff_ids } : {}) },
    Metadata: { LastTagTime: image.repoTags.length > 0 ? formatTime(image.addedAt) : zeroTime },
    // isula
    Type: image.type,
  };
}

/** moby: the container config of an image, with every field that clients read. */
function configShape(config: NonNullable<ImageRecord['config']['config']>): Record<string, unknown> {
  return {
    Hostname: '', Domainname: '', User: '', AttachStdin: false, AttachStdout: false, AttachStderr: false, Tty: false, OpenStdin: false,
    StdinOnce: false, Env: null, Cmd: null, Image: '', Volumes: null, WorkingDir: '', Entrypoint: null, OnBuild: null, Labels: null, ...config,
  };
}
