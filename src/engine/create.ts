import { mkdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError, explainFullDisk, failPoint, newContainerId, nowMs } from '../base/index.ts';
import type { ContainerId } from '../base/index.ts';
import { defaultShmBytes, parsePlatform, storageSizeBytes, validateCreate } from '../model/index.ts';
import type { ContainerCreateRequest, HostConfig, ImageRecord } from '../model/index.ts';
import { checkHostWishes } from '../runtime/index.ts';
import { resolveCdi } from './cdi.ts';
import { Container } from './container.ts';
import { containerDir } from './context.ts';
import type { EngineContext } from './context.ts';
import { checkExternalRoot } from './external-root.ts';
import { mergeImageConfig } from './merge-config.ts';
import { planMounts } from './mounts.ts';
import { parseLogOptions } from './logs/index.ts';
import { loadHooks } from './hooks.ts';
import { publish } from './publish.ts';
import type { ContainerDynamics, ContainerRecord } from './record.ts';
import { checkUserNamespace } from './user-namespace.ts';

/**
 * Makes a container. Order: everything that can be refused is checked, then directories and volumes are made, then the record becomes
 * durable, then it is announced. A crash before the record leaves directories that the next start removes.
 */
export async function createContainer(ctx: EngineContext, request: ContainerCreateRequest): Promise<{ Id: string; Warnings: string[] }> {
  const warnings = validateCreate(request, ctx.runtime.facts);
  const hostConfig = completeHostConfig(ctx, request.hostConfig);
  const image = hostConfig.ExternalRootfs === '' ? resolveImage(ctx, request) : undefined;
  const merged = mergeImageConfig(request.config, image?.config.config, hostConfig);
  const { config, args } = merged;
  if (args.length === 0) throw new EngineError('invalidArgument', 'No command specified');
  const log = parseLogOptions(hostConfig.LogConfig, ctx.options.containerLog);
  if (hostConfig.ExternalRootfs !== '') checkExternalRoot(hostConfig.ExternalRootfs);
  if (hostConfig.HookSpec !== '') loadHooks(hostConfig.HookSpec);
  checkHostWishes(hostConfig, ctx.runtime.facts);
  resolveCdi(hostConfig.CDIDevices, ctx.logger);
  checkNamespaces(ctx, hostConfig);
  checkUserNamespace(ctx, hostConfig);
  const id = newContainerId();
  const name = request.name === '' ? id : request.name.replace(/^\//, '');
  ctx.store.reserveName(name, id);
  const undo: (() => Promise<void>)[] = [];
  try {
    const directory = containerDir(ctx.options, id);
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    undo.push(() => rm(directory, { recursive: true, force: true }));
    if (hostConfig.ExternalRootfs === '') {
      const quota = storageSizeBytes(hostConfig.StorageOpt);
      await ctx.snapshots.createContainer(id, { layers: image?.layers ?? [], ...(quota === undefined ? {} : { quotaBytes: quota }) });
      undo.push(() => ctx.snapshots.removeContainer(id));
    }
    failPoint('create.layer');
    const plan = await planMounts(
      { container: id, hostConfig, volumes: Object.keys(config.Volumes ?? {}) },
      { volumes: ctx.volumes, mountsOf: (reference) => ctx.store.find(reference).record.mounts },
    );
    undo.push(() => plan.undo());
    failPoint('create.volumes');
    const record: ContainerRecord = {
      id,
      name,
      createdAt: nowMs(),
      imageName: image ? request.config.Image : hostConfig.ExternalRootfs,
      imageId: image?.id ?? '',
      imageConfig: image?.config.config,
      config,
      hostConfig,
      networkingConfig: request.networkingConfig,
      args,
      mounts: [...plan.mounts],
      anonymousVolumes: [...plan.anonymousVolumes],
      cgroupPath: cgroupPathOf(ctx, hostConfig, id),
      logPath: log.disabled ? '' : join(directory, 'console.log'),
    };
    const dynamics: ContainerDynamics = {
      state: { status: 'created' }, process: undefined, bootId: '', restartCount: 0, manuallyStopped: false,
      runtime: hostConfig.Runtime, health: undefined,
    };
    const container = new Container(record, dynamics);
    // The image may have been removed while this was made.
    if (image && !ctx.images.get(image.id)) throw new EngineError('notFound', `No such image: ${request.config.Image}`);
    await ctx.store.insert(container);
    plan.release();
    failPoint('create.record');
    publish(ctx, container, 'create');
    return { Id: id, Warnings: [...warnings, ...merged.warnings] };
  } catch (error) {
    ctx.store.releaseName(name, id);
    for (const step of undo.toReversed()) await step().catch(() => undefined);
    throw explainFullDisk(error, `Cannot create container ${name}`);
  }
}

/** The image, which must be one of the platform that is asked for: docker's client fetches what is not found. */
function resolveImage(ctx: EngineContext, { config: { Image: reference }, platform: wanted }: ContainerCreateRequest): ImageRecord {
  if (reference === '') throw new EngineError('invalidArgument', 'Config.Image is empty: an image or an external rootfs is needed');
  const image = ctx.images.resolve(reference);
  if (wanted === '') return image;
  const { os, architecture, variant } = parsePlatform(wanted, ctx.runtime.facts.architecture);
  const { config } = image;
  if (config.os === os && config.architecture === architecture && (variant === undefined || (config.variant ?? variant) === variant)) return image;
  const here = `${config.os}/${config.architecture}`;
  throw new EngineError('notFound', `No such image: ${reference} of platform ${wanted}: the one that is here is of ${here}`);
}

/** Fills what the daemon decides: runtime, shared memory, network, log driver. */
function completeHostConfig(ctx: EngineContext, asked: HostConfig): HostConfig {
  const runtime = ctx.runtime.resolveRuntime(asked.Runtime === '' ? ctx.options.defaultRuntime : asked.Runtime).name;
  const network = asked.NetworkMode === '' || asked.NetworkMode === 'default' ? 'none' : asked.NetworkMode;
  const driver = asked.LogConfig.Type || ctx.options.containerLog.Type;
  return {
    ...asked, Runtime: runtime, NetworkMode: network, ShmSize: asked.ShmSize === 0 ? defaultShmBytes : asked.ShmSize,
    LogConfig: { ...asked.LogConfig, Type: driver },
  };
}

/** Containers whose namespaces are shared must exist now; they must run when this one starts. */
function checkNamespaces(ctx: EngineContext, hostConfig: HostConfig): void {
  for (const mode of [hostConfig.NetworkMode, hostConfig.IpcMode, hostConfig.PidMode, hostConfig.UTSMode]) {
    if (mode.startsWith('container:')) ctx.store.find(mode.slice('container:'.length));
  }
}

function cgroupPathOf(ctx: EngineContext, hostConfig: HostConfig, id: ContainerId): string {
  const parent = hostConfig.CgroupParent || ctx.options.cgroupParent;
  const clean = parent.split('/').filter((part) => part !== '');
  if (clean.includes('..')) throw new EngineError('invalidArgument', `Invalid cgroup parent ${JSON.stringify(parent)}: it must not contain '..'`);
  return `/${[...clean, id].join('/')}`;
}

