import { existsSync, mkdirSync, statSync } from 'node:fs';
import { hostname as hostName } from 'node:os';
import { join } from 'node:path';
import { EngineError, writeFileDurably } from '../base/index.ts';
import { mount, MS_NODEV, MS_NOEXEC, MS_NOSUID } from '../linux/index.ts';
import type { NamespaceChoice, SpecInput } from '../runtime/index.ts';
import { lookupUser } from '../security/index.ts';
import { resolveCdi } from './cdi.ts';
import type { Container } from './container.ts';
import { bundlePath, containerDir } from './context.ts';
import type { EngineContext } from './context.ts';
import { mergeEnv } from './env.ts';
import { etcFilesIn, writeEtcFiles } from './etc-files.ts';
import { externalRootOf } from './external-root.ts';
import { loadHooks, mergeHooks } from './hooks.ts';
import { startMounts } from './mounts-start.ts';
import type { ContainerRecord } from './record.ts';
import { relabellerOf } from './relabel.ts';
import { rootOwnerOf, userNamespaceOf } from './user-namespace.ts';

/** Where the distributions put a small init, in the order of preference. */
const initCandidates = [
  '/usr/bin/docker-init', '/usr/sbin/docker-init', '/usr/bin/tini', '/usr/bin/tini-static', '/usr/libexec/podman/catatonit', '/usr/bin/catatonit',
];

/** The container's root as the host sees it. */
export function rootPathOf(ctx: EngineContext, container: Container): string {
  const external = container.record.hostConfig.ExternalRootfs;
  if (external === '') return ctx.snapshots.rootPath(container.id);
  return externalRootOf(external, bundlePath(ctx.options, container.id), container.isRunning);
}

/** Guide 1.3.1.1: users of an external rootfs are looked up in the host's files. */
export function identityRootOf(ctx: EngineContext, container: Container): string {
  return container.record.hostConfig.ExternalRootfs === '' ? ctx.snapshots.rootPath(container.id) : '/';
}

/** The `native.umask` annotation (table 1-2) over the daemon's setting. */
export function umaskOf(ctx: EngineContext, record: ContainerRecord): number {
  switch (record.config.Annotations['native.umask']) {
    case 'normal':
      return 0o022;
    case 'secure':
      return 0o027;
    default:
      return ctx.options.umask;
  }
}

/** Gathers, and partly makes, all that a container's specification speaks of. What it mounts `undoSpecInput` takes away. */
export async function prepareSpecInput(ctx: EngineContext, container: Container, rootfsPath: string): Promise<SpecInput> {
  const { record, dynamics } = container;
  const { config, hostConfig, id } = record;
  const cdi = resolveCdi(hostConfig.CDIDevices, ctx.logger);
  const user = lookupUser(identityRootOf(ctx, container), config.User, hostConfig.GroupAdd);
  const identity = { ...user, additionalGids: [...new Set([...user.additionalGids, ...cdi.additionalGids])] };
  const bundle = bundlePath(ctx.options, id);
  writeGeneratedConfig(ctx, record, identity);
  const hostname = hostnameOf(ctx, record);
  const mounts = await startMounts({
    container: id,
    mounts: record.mounts,
    rootfs: rootfsPath,
    directory: join(bundle, 'mounts'),
    firstStart: container.state.status === 'created',
    volumes: ctx.volumes,
    relabel: relabellerOf(ctx, record),
  });
  return {
    id,
    config,
    hostConfig: { ...hostConfig, Runtime: dynamics.runtime, Devices: [...hostConfig.Devices, ...cdi.devices] },
    imageConfig: record.imageConfig,
    rootfsPath,
    args: [...record.args],
    env: mergeEnv([...(config.Tty ? ['TERM=xterm'] : []), `HOME=${identity.home}`, `HOSTNAME=${hostname}`], config.Env, cdi.env),
    cwd: config.WorkingDir || '/',
    hostname,
    identity,
    umask: umaskOf(ctx, record),
    cgroupPath: record.cgroupPath,
    namespaces: {
      network: namespaceOf(ctx, hostConfig.NetworkMode, 'net'),
      ipc: namespaceOf(ctx, hostConfig.IpcMode, 'ipc'),
      pid: namespaceOf(ctx, hostConfig.PidMode, 'pid'),
      uts: namespaceOf(ctx, hostConfig.UTSMode, 'uts'),
      cgroup: cgroupNamespace(ctx, container),
    },
    mounts: [...mounts, ...cdi.mounts],
    etcFiles: etcFilesOf(ctx, record, hostname),
    shmPath: shmPathOf(ctx, container, bundle),
    hooks: mergeHooks(ctx.options.defaultHooks, hostConfig.HookSpec === '' ? undefined : loadHooks(hostConfig.HookSpec), cdi.hooks),
    ...userNamespaceOf(ctx, hostConfig),
    initPath: hostConfig.Init ? findInit() : undefined,
    ulimits: mergeUlimits(ctx, record),
  };
}

/** Guide 1.3.1.1: the ids that were looked up, for those who want to know. */
function writeGeneratedConfig(ctx: EngineContext, record: ContainerRecord, identity: { uid: number; gid: number; additionalGids: number[] }): void {
  if (record.config.User === '' && record.hostConfig.GroupAdd.length === 0) return;
  const { uid, gid, additionalGids } = identity;
  const path = join(containerDir(ctx.options, record.id), 'start_generate_config.json');
  writeFileDurably(path, `${JSON.stringify({ uid, gid, additionalGids }, undefined, 4)}\n`, 0o640);
}

function hostnameOf(ctx: EngineContext, record: ContainerRecord): string {
  const { NetworkMode, UTSMode } = record.hostConfig;
  if (UTSMode === 'host' || (record.config.Hostname === '' && NetworkMode === 'host')) return hostName();
  if (UTSMode.startsWith('container:')) return hostnameOf(ctx, donorOf(ctx, UTSMode, 'uts').record);
  if (record.config.Hostname === '' && NetworkMode.startsWith('container:')) return hostnameOf(ctx, donorOf(ctx, NetworkMode, 'net').record);
  return record.config.Hostname || 'localhost';
}

/** The container whose namespace is shared: it must run. */
function donorOf(ctx: EngineContext, mode: string, kind: string): Container {
  const donor = ctx.store.find(mode.slice('container:'.length));
  if (!donor.isRunning) {
    throw new EngineError('conflict', `Cannot join ${kind} namespace of container ${donor.id}: the container is not running`);
  }
  return donor;
}

function namespaceOf(ctx: EngineContext, mode: string, kind: 'net' | 'ipc' | 'pid' | 'uts'): NamespaceChoice {
  if (mode === 'host') return { kind: 'host' };
  if (!mode.startsWith('container:')) return { kind: 'private' };
  const donor = donorOf(ctx, mode, kind);
  if (kind === 'ipc' && (donor.record.hostConfig.IpcMode === 'private' || donor.record.hostConfig.IpcMode === 'none')) {
    const hint = 'hint: use IpcMode:shareable for the donor container';
    throw new EngineError('conflict', `cannot join IPC of container ${donor.id}: non-shareable IPC (${hint})`);
  }
  return { kind: 'path', path: `/proc/${donor.dynamics.process?.pid ?? 0}/ns/${kind}` };
}

/** Docker's default: private on cgroup v2, the host's on v1. */
function cgroupNamespace(ctx: EngineContext, container: Container): NamespaceChoice {
  const mode = container.record.hostConfig.CgroupnsMode;
  if (mode === 'host' || (mode === '' && (ctx.runtime.facts.cgroup.version === 1 || container.record.hostConfig.Privileged))) return { kind: 'host' };
  return { kind: 'private' };
}

function etcFilesOf(ctx: EngineContext, record: ContainerRecord, hostname: string) {
  const { hostConfig, config } = record;
  // A shared network is one machine to the outside: its names are the donor's.
  if (hostConfig.NetworkMode.startsWith('container:')) {
    return etcFilesIn(containerDir(ctx.options, donorOf(ctx, hostConfig.NetworkMode, 'net').id));
  }
  return writeEtcFiles({
    directory: containerDir(ctx.options, record.id),
    hostname,
    domainname: config.Domainname,
    network: hostConfig.NetworkMode === 'host' ? 'host' : 'none',
    dns: hostConfig.Dns,
    dnsSearch: hostConfig.DnsSearch,
    dnsOptions: hostConfig.DnsOptions,
    extraHosts: hostConfig.ExtraHosts,
    owner: rootOwnerOf(ctx, hostConfig),
  });
}

/** Where a container that may be shared has its /dev/shm: on the host, so that others can bind it. */
export function shmDirectory(bundle: string): string {
  return join(bundle, 'mounts', 'shm');
}

/**
 * A private container's /dev/shm is a tmpfs of its own (undefined). One that others may join (the guide's default) has it mounted on the
 * host first; one that joins binds the donor's.
 */
function shmPathOf(ctx: EngineContext, container: Container, bundle: string): string | undefined {
  const { IpcMode, ShmSize } = container.record.hostConfig;
  if (IpcMode === 'host') return '/dev/shm';
  if (IpcMode === 'private' || IpcMode === 'none') return undefined;
  if (IpcMode.startsWith('container:')) return shmDirectoryOfDonor(ctx, IpcMode);
  const path = shmDirectory(bundle);
  mkdirSync(path, { recursive: true, mode: 0o700 });
  mount('shm', path, 'tmpfs', MS_NOSUID | MS_NODEV | MS_NOEXEC, `mode=1777,size=${ShmSize}`);
  return path;
}

function shmDirectoryOfDonor(ctx: EngineContext, mode: string): string {
  const donor = donorOf(ctx, mode, 'ipc');
  const further = donor.record.hostConfig.IpcMode;
  if (further === 'host') return '/dev/shm';
  if (further.startsWith('container:')) return shmDirectoryOfDonor(ctx, further);
  return shmDirectory(bundlePath(ctx.options, donor.id));
}

function findInit(): string {
  const found = initCandidates.find((path) => existsSync(path) && statSync(path).isFile());
  if (!found) {
    const places = initCandidates.join(', ');
    throw new EngineError('unsupported', `Cannot run an init in the container: the host has none of ${places} (package tini or catatonit)`);
  }
  return found;
}

/** The container's limits over the daemon's defaults (guide 1.3.3.8). */
function mergeUlimits(ctx: EngineContext, record: ContainerRecord): { name: string; soft: number; hard: number }[] {
  const merged = new Map<string, { name: string; soft: number; hard: number }>();
  for (const { Name, Soft, Hard } of [...ctx.options.defaultUlimits, ...record.hostConfig.Ulimits]) {
    merged.set(Name, { name: Name, soft: Soft, hard: Hard });
  }
  return [...merged.values()];
}
