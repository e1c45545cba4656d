import { join } from 'node:path';
import { formatTime, humanDuration, zeroTime } from '../base/index.ts';
import { parseSecurityOpts, type ContainerState } from '../model/index.ts';
import { selinuxLabels } from '../runtime/index.ts';
import type { Container } from './container.ts';
import { containerDir } from './context.ts';
import type { EngineContext } from './context.ts';
import { consoleAnnotations, parseLogOptions } from './logs/index.ts';
import { mountPointsOf } from './mounts.ts';
import type { ContainerInspect, ContainerSummary, MountPoint, NetworkSettings } from './types.ts';

/** Docker's STATUS column. */
function statusText(container: Container, now: number): string {
  const state = container.state;
  const health = container.dynamics.health?.Status ?? 'none';
  switch (state.status) {
    case 'created':
      return 'Created';
    case 'running': {
      const note = health === 'none' ? '' : health === 'starting' ? ' (health: starting)' : ` (${health})`;
      return `Up ${humanDuration(now - state.startedAt)}${note}`;
    }
    case 'paused':
      return `Up ${humanDuration(now - state.startedAt)} (Paused)`;
    case 'restarting':
      return `Restarting (${state.exitCode}) ${humanDuration(now - state.finishedAt)} ago`;
    case 'exited':
      return `Exited (${state.exitCode}) ${humanDuration(now - state.finishedAt)} ago`;
    case 'removing':
      return 'Removal In Progress';
    case 'dead':
      return 'Dead';
  }
}

/** The facts of a state that every status has, with docker's zero values. */
export function stateFacts(state: ContainerState) {
  return {
    pid: 'pid' in state ? state.pid : 0,
    exitCode: 'exitCode' in state ? (state.exitCode ?? 0) : 0,
    error: 'error' in state ? (state.error ?? '') : '',
    oomKilled: 'oomKilled' in state ? (state.oomKilled ?? false) : false,
    startedAt: 'startedAt' in state && state.startedAt ? formatTime(state.startedAt) : zeroTime,
    finishedAt: 'finishedAt' in state && state.finishedAt ? formatTime(state.finishedAt) : zeroTime,
  };
}

/** Network modes as docker names their entries in `Networks`. */
function networkSettings(container: Container): NetworkSettings {
  const mode = container.record.hostConfig.NetworkMode;
  const networks: Record<string, Record<string, unknown>> = {};
  if (mode === 'none' || mode === 'host') {
    networks[mode] = {
      IPAMConfig: null, Links: null, Aliases: null, MacAddress: '', NetworkID: '', EndpointID: '', Gateway: '', IPAddress: '', IPPrefixLen: 0,
      IPv6Gateway: '', GlobalIPv6Address: '', GlobalIPv6PrefixLen: 0, DriverOpts: null, DNSNames: null,
    };
  }
  return { Bridge: '', SandboxID: '', SandboxKey: '', Ports: {}, IPAddress: '', IPPrefixLen: 0, Gateway: '', MacAddress: '', Networks: networks };
}

export async function inspectContainer(ctx: EngineContext, container: Container, size: boolean): Promise<ContainerInspect> {
  const { record, dynamics } = container;
  const state = container.state;
  const facts = stateFacts(state);
  const directory = containerDir(ctx.options, record.id);
  const { facts: host } = ctx.runtime;
  const labels = host.selinuxEnabled ? selinuxLabels(record.id, parseSecurityOpts(record.hostConfig.SecurityOpt), host) : undefined;
  const external = record.hostConfig.ExternalRootfs !== '';
  const log = parseLogOptions(record.hostConfig.LogConfig, ctx.options.containerLog);
  const runningExecs = [...container.execs.values()].filter((session) => session.state === 'running').map((session) => session.id);
  return {
    Id: record.id,
    Created: formatTime(record.createdAt),
    Path: record.args[0] ?? '',
    Args: record.args.slice(1),
    State: {
      Status: state.status,
      Running: container.isRunning,
      Paused: state.status === 'paused',
      Restarting: state.status === 'restarting',
      OOMKilled: facts.oomKilled,
      Dead: state.status === 'dead',
      Pid: facts.pid,
      ExitCode: facts.exitCode,
      Error: facts.error,
      StartedAt: facts.startedAt,
      FinishedAt: facts.finishedAt,
      ...(dynamics.health ? { Health: dynamics.health } : {}),
    },
    Image: record.imageId,
    ResolvConfPath: join(directory, 'resolv.conf'),
    HostnamePath: join(directory, 'hostname'),
    HostsPath: join(directory, 'hosts'),
    LogPath: record.logPath === '' ? 'none' : record.logPath,
    Name: `/${record.name}`,
    RestartCount: dynamics.restartCount,
    Driver: ctx.snapshots.name,
    Platform: 'linux',
    MountLabel: labels?.mount ?? '',
    ProcessLabel: labels?.process ?? '',
    AppArmorProfile: '',
    ExecIDs: runningExecs.length > 0 ? runningExecs : null,
    HostConfig: {
      ...record.hostConfig,
      Runtime: dynamics.runtime,
      AutoRemoveBak: record.hostConfig.AutoRemove,
      HostChannel: record.hostConfig.HostChannel ?? { PathOnHost: '', PathInContainer: '', Permissions: '', Size: 0 },
    },
    GraphDriver: { Name: ctx.snapshots.name, Data: external ? {} : graphData(ctx, container) },
    ...(size && !external ? await sizes(ctx, container) : {}),
    Mounts: mountPoints(ctx, container),
    Config: {
      ...record.config,
      Image: record.imageName,
      Annotations: { ...consoleAnnotations(log, record.logPath), ...record.config.Annotations },
    },
    NetworkSettings: networkSettings(container),
  };
}

function graphData(ctx: EngineContext, container: Container): Record<string, string> {
  if (!ctx.snapshots.hasContainer(container.id)) return {};
  const upper = ctx.snapshots.upperPath(container.id);
  return {
    LowerDir: ctx.snapshots.lowerPaths(container.id).join(':'),
    MergedDir: ctx.snapshots.rootPath(container.id),
    UpperDir: upper,
    WorkDir: join(upper, '..', 'work'),
  };
}

/** Docker's view of the mounts. */
export function mountPoints(ctx: EngineContext, container: Container): MountPoint[] {
  return mountPointsOf(container.record.mounts, (volume) => (ctx.volumes.has(volume) ? ctx.volumes.get(volume).Mountpoint : ''));
}

async function sizes(ctx: EngineContext, container: Container): Promise<{ SizeRw: number; SizeRootFs: number }> {
  const written = await ctx.snapshots.containerSize(container.id);
  const { imageId } = container.record;
  const image = imageId === '' ? undefined : ctx.images.get(imageId);
  return { SizeRw: written, SizeRootFs: written + (image?.size ?? 0) };
}

export async function summarizeContainer(ctx: EngineContext, container: Container, now: number, size: boolean): Promise<ContainerSummary> {
  const { record, dynamics } = container;
  const facts = stateFacts(container.state);
  return {
    Id: record.id,
    Names: [`/${record.name}`],
    Image: record.imageName,
    ImageID: record.imageId,
    Command: record.args.join(' '),
    Created: Math.floor(record.createdAt / 1000),
    Ports: [],
    ...(size && record.hostConfig.ExternalRootfs === '' ? await sizes(ctx, container) : {}),
    Labels: record.config.Labels,
    State: container.state.status,
    Status: statusText(container, now),
    HostConfig: { NetworkMode: record.hostConfig.NetworkMode },
    NetworkSettings: { Networks: networkSettings(container).Networks },
    Mounts: mountPoints(ctx, container),
    Pid: facts.pid,
    ExitCode: facts.exitCode,
    RestartCount: dynamics.restartCount,
    StartedAt: facts.startedAt,
    FinishedAt: facts.finishedAt,
    Runtime: dynamics.runtime,
    Health: dynamics.health?.Status ?? 'none',
  };
}
