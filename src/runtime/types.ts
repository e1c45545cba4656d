import type { ContainerId, ExecId, IdMaps, OutputSink, ProcessSession } from '../base/index.ts';
import type { CgroupLayout, CgroupStats, SeccompFilter } from '../linux/index.ts';
import type { ContainerConfig, HostConfig, ImageConfigFields } from '../model/index.ts';

export type { BlkioEntry, CgroupLayout, CgroupStats } from '../linux/index.ts';

/** An OCI runtime specification document (runtime-spec 1.0/1.1 config.json), built by `generateSpec`. Kept opaque outside runtime/. */
export interface OciSpec {
  ociVersion: string;
  process: OciProcess;
  root: { path: string; readonly: boolean };
  hostname?: string;
  domainname?: string;
  mounts: OciMount[];
  hooks?: OciHooks;
  annotations?: Record<string, string>;
  linux: Record<string, unknown>;
}

export interface OciProcess {
  terminal: boolean;
  user: { uid: number; gid: number; additionalGids?: number[]; umask?: number };
  args: string[];
  env: string[];
  cwd: string;
  capabilities?: { bounding: string[]; effective: string[]; permitted: string[]; inheritable?: string[]; ambient?: string[] };
  /** Infinity: no limit; `ociJson` writes it as RLIM_INFINITY. */
  rlimits?: { type: string; hard: number; soft: number }[];
  noNewPrivileges?: boolean;
  oomScoreAdj?: number;
  apparmorProfile?: string;
  selinuxLabel?: string;
  consoleSize?: { height: number; width: number };
}

export interface OciMount {
  destination: string;
  type?: string;
  source?: string;
  options?: string[];
}

export interface OciHook {
  path: string;
  args?: string[];
  env?: string[];
  /** Seconds. */
  timeout?: number;
}

export interface OciHooks {
  prestart?: OciHook[];
  /** These three come from CDI specifications only. */
  createRuntime?: OciHook[];
  createContainer?: OciHook[];
  startContainer?: OciHook[];
  poststart?: OciHook[];
  poststop?: OciHook[];
}

/** A namespace to join instead of a new one: `/proc/<pid>/ns/net` or a bound path. `host`: none of its own. */
export type NamespaceChoice = { kind: 'private' } | { kind: 'host' } | { kind: 'path'; path: string };

/** A mount that the engine has resolved (volume created, bind source checked): only how to place it is left. */
export interface ResolvedMount {
  type: 'bind' | 'tmpfs' | 'volume' | 'image';
  /** Host path; empty for tmpfs. */
  source: string;
  target: string;
  readOnly: boolean;
  /** `rprivate` … `rshared`; empty: rprivate. */
  propagation: string;
  /** Further options (tmpfs `size=…`, `noexec`, …). */
  options: string[];
}

/** Everything the pure function `generateSpec` needs about one container. */
export interface SpecInput {
  id: ContainerId;
  config: ContainerConfig;
  hostConfig: HostConfig;
  /** The image's own configuration; undefined: external root file system. */
  imageConfig: ImageConfigFields | undefined;
  rootfsPath: string;
  /** The command to run: entrypoint and cmd merged, never empty. */
  args: string[];
  env: string[];
  cwd: string;
  hostname: string;
  identity: { uid: number; gid: number; additionalGids: number[] };
  umask: number;
  /** Path of the container's cgroup, relative to each controller's root: `/isulad/<id>`. */
  cgroupPath: string;
  namespaces: { network: NamespaceChoice; ipc: NamespaceChoice; pid: NamespaceChoice; uts: NamespaceChoice; cgroup: NamespaceChoice };
  /** With `idMaps`: the user namespace of the container whose others are joined; undefined: one of its own. */
  userNamespacePath?: string;
  /** In mounting order, after the standard ones. */
  mounts: ResolvedMount[];
  /** Bind sources for /etc/hosts, /etc/hostname, /etc/resolv.conf. */
  etcFiles: { hosts: string; hostname: string; resolvConf: string };
  /** Directory to mount on /dev/shm when ipc is shared with another container; undefined: a tmpfs of ShmSize. */
  shmPath: string | undefined;
  hooks: OciHooks | undefined;
  /** User namespace maps (userns-remap); undefined: the host's user namespace. */
  idMaps: IdMaps | undefined;
  /** Path of docker-init/tini/catatonit for --init; undefined: no init. */
  initPath: string | undefined;
  /** Merged ulimits (daemon's defaults and the container's). */
  ulimits: { name: string; soft: number; hard: number }[];
}

/** What --device, --privileged, --security-opt seccomp and the blkio options come to on this host. */
export interface ResolvedHost {
  devices: ResolvedDevice[];
  /** Device numbers of the paths in BlkioWeightDevice and BlkioDevice…. */
  blockDevices: ReadonlyMap<string, { major: number; minor: number }>;
  /** The filter of the container, its conditions decided; undefined: no filter. */
  seccomp: SeccompFilter | undefined;
}

export interface ResolvedDevice {
  /** In the container. */
  path: string;
  type: 'c' | 'b';
  major: number;
  minor: number;
  /** Permission bits. */
  fileMode: number;
  uid: number;
  gid: number;
  /** Letters of `rwm`. */
  access: string;
}

/** What this host can do; read once at start, so that spec generation stays pure. */
export interface HostFacts {
  architecture: string;
  kernelRelease: string;
  cgroup: CgroupLayout;
  /** Capabilities (`CAP_…`) in the daemon's bounding and effective set: a container can be given no more. */
  capabilities: ReadonlySet<string>;
  /** The daemon's own hard limits; `rlimits.get('RLIMIT_NOFILE')`. Raising needs CAP_SYS_RESOURCE. */
  rlimits: ReadonlyMap<string, { soft: number; hard: number }>;
  /** What the cgroups can do beyond having the controllers. */
  cgroupFeatures: ReadonlySet<CgroupFeature>;
  /** Sizes of huge pages as the hugetlb files write them (`2MB`), the host's default first. */
  hugepageSizes: readonly string[];
  seccompSupported: boolean;
  apparmorEnabled: boolean;
  selinuxEnabled: boolean;
  cpus: number;
  memoryBytes: number;
}

/** Optional abilities of a kernel's cgroups, each seen by its file. */
export type CgroupFeature = 'swap' | 'swappiness' | 'oomKillDisable' | 'blkioWeight' | 'blkioWeightDevice' | 'cpuRealtime';

export interface CreateRequest {
  id: ContainerId;
  /** Directory of its own under the state root; the driver writes config.json, pid files, sockets there. */
  bundlePath: string;
  spec: OciSpec;
  /** Name as given by --runtime, already validated by `resolveRuntime`. */
  runtime: string;
  openStdin: boolean;
  /** Close stdin once the first attached client's input ends. */
  stdinOnce: boolean;
  /** conmon's k8s-file log; undefined: no log. */
  logPath: string | undefined;
  /** conmon truncates beyond this; undefined: unbounded (the engine rotates). */
  logMaxBytes: number | undefined;
  timeoutMs: number;
  signal?: AbortSignal;
}

export interface RunningProcess {
  /** The container's init. */
  pid: number;
  /** Start time of `pid` in clock ticks since boot (/proc/pid/stat field 22): pids are reused. */
  pidStartTime: number;
  conmonPid: number;
}

export interface ExitRecord {
  exitCode: number;
  /** ms since the epoch: when the exit file was written. */
  finishedAt: number;
  oomKilled: boolean;
}

export interface ExecRequest {
  execId: ExecId;
  containerId: ContainerId;
  bundlePath: string;
  runtime: string;
  process: OciProcess;
  openStdin: boolean;
  /** Where output goes; undefined: detached, output dropped. */
  sink: OutputSink | undefined;
  /**
   * A health check, which must cost little and may run for ever: nobody asks for its pid (it is 0), and the abort of `signal` kills all
   * that it started.
   */
  isProbe?: boolean;
  signal?: AbortSignal;
}

export interface ExecHandle {
  pid: number;
  session: ProcessSession;
  /** Resolves with the exit code, after all output. */
  exit: Promise<number>;
  resize(height: number, width: number): void;
}

/**
 * Runs containers through conmon and an OCI runtime. Every method may be called for a container started by an earlier
 * daemon: nothing is kept in memory that the bundle does not hold.
 */
export interface RuntimeDriver {
  /** For `info`/`version`: what was chosen and why. */
  readonly choice: { name: string; path: string; version: string; reason: string; conmonVersion: string };
  readonly facts: HostFacts;
  /** Names that --runtime may have. */
  runtimes(): Map<string, { path: string; args: string[] }>;
  /** @throws invalidArgument for a name that is not configured. */
  resolveRuntime(name: string): { name: string; path: string; args: string[] };
  /** A container or a process is about to be made: what takes long and can go on beside other work begins. */
  anticipate(): void;
  /** conmon + runtime create. On failure everything it made is gone again. Errors say the cause and carry exitCode 126/127 where due. */
  create(request: CreateRequest): Promise<RunningProcess>;
  start(id: ContainerId, runtime: string, bundlePath: string): Promise<void>;
  /** runtime delete --force and the removal of the cgroup; no error when it is gone. The bundle directory stays the engine's. */
  remove(id: ContainerId, runtime: string, bundlePath: string): Promise<void>;
  exec(request: ExecRequest): Promise<ExecHandle>;
  /** After a daemon's end: removes the directories of execs that nobody monitors any more. */
  forgetExecs(bundlePath: string): void;
  /** Connects to conmon's attach socket. */
  attach(bundlePath: string, sink: OutputSink, options: { stdin: boolean; signal?: AbortSignal }): Promise<ProcessSession>;
  resize(bundlePath: string, height: number, width: number): Promise<void>;
  /** Tells conmon to reopen its log after a rotation. */
  reopenLog(bundlePath: string): Promise<void>;
  /** The exit record that conmon left, if any. */
  readExit(id: ContainerId, bundlePath: string): ExitRecord | undefined;
  /** Calls back once for each container whose conmon wrote its exit file, at once (inotify) and never twice. */
  watchExits(onExit: (id: ContainerId) => void): Disposable;
  /** Forgets the exit file, once its record is durable. */
  clearExit(id: ContainerId): void;
  /** True when that very process lives (pid and start time). */
  isAlive(process: RunningProcess): boolean;
  /** Sends a signal to the init by pidfd; false: no such process any more. */
  signal(process: RunningProcess, signal: number): boolean;

  // Cgroup work, without child processes.
  freeze(cgroupPath: string): Promise<void>;
  thaw(cgroupPath: string): Promise<void>;
  isFrozen(cgroupPath: string): boolean;
  /** All pids in the container's cgroup. */
  pids(cgroupPath: string): number[];
  readStats(cgroupPath: string): CgroupStats;
  /** Applies changed limits live. @throws with the kernel's reason; nothing is left half-applied. */
  updateResources(cgroupPath: string, hostConfig: HostConfig): Promise<void>;
  /** SIGKILL to all in the cgroup. */
  killAll(cgroupPath: string): void;
}
