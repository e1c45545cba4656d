import type { Readable } from 'node:stream';
import type { OutputSink, ProcessSession } from '../base/index.ts';
import type { Filters, ImageService, PruneOptions, StoreCheckOptions } from '../images/index.ts';
import type { PathStat } from '../images/layer/index.ts';
import type { ContainerConfig, ContainerCreateRequest, HealthState, HostConfig, NetworkingConfig, ResourceUpdate } from '../model/index.ts';
import type { VolumeRecord } from '../volumes/index.ts';

/** What a GET /containers/{id}/json shows (moby: ContainerInspectResponse) with the guide's fields. */
export interface ContainerInspect {
  Id: string;
  Created: string;
  Path: string;
  Args: string[];
  State: {
    Status: string; Running: boolean; Paused: boolean; Restarting: boolean; OOMKilled: boolean; Dead: boolean; Pid: number;
    ExitCode: number; Error: string; StartedAt: string; FinishedAt: string; Health?: HealthState;
  };
  Image: string;
  ResolvConfPath: string;
  HostnamePath: string;
  HostsPath: string;
  LogPath: string;
  Name: string;
  RestartCount: number;
  Driver: string;
  Platform: string;
  MountLabel: string;
  ProcessLabel: string;
  AppArmorProfile: string;
  ExecIDs: string[] | null;
  /** `AutoRemoveBak` is the guide's name for AutoRemove as it was at create. */
  HostConfig: HostConfig & { AutoRemoveBak: boolean };
  GraphDriver: { Name: string; Data: Record<string, string> };
  SizeRw?: number;
  SizeRootFs?: number;
  Mounts: MountPoint[];
  Config: ContainerConfig;
  NetworkSettings: NetworkSettings;
}

export interface MountPoint {
  Type: string;
  Name?: string;
  Source: string;
  Destination: string;
  Driver?: string;
  Mode: string;
  RW: boolean;
  Propagation: string;
}

export interface NetworkSettings {
  Bridge: string;
  SandboxID: string;
  SandboxKey: string;
  Ports: Record<string, { HostIp: string; HostPort: string }[] | null>;
  IPAddress: string;
  IPPrefixLen: number;
  Gateway: string;
  MacAddress: string;
  Networks: Record<string, Record<string, unknown>>;
}

/** A row of GET /containers/json (moby: ContainerSummary) and, for isula's own columns, the fields of the guide's ps. */
export interface ContainerSummary {
  Id: string;
  Names: string[];
  Image: string;
  ImageID: string;
  Command: string;
  /** Seconds since the epoch. */
  Created: number;
  Ports: { IP?: string; PrivatePort: number; PublicPort?: number; Type: string }[];
  SizeRw?: number;
  SizeRootFs?: number;
  Labels: Record<string, string>;
  State: string;
  Status: string;
  HostConfig: { NetworkMode: string; Annotations?: Record<string, string> };
  NetworkSettings: { Networks: Record<string, Record<string, unknown>> };
  Mounts: MountPoint[];
  // isula
  Pid: number;
  ExitCode: number;
  RestartCount: number;
  /** RFC 3339, or docker's zero time. */
  StartedAt: string;
  FinishedAt: string;
  Runtime: string;
  Health: string;
}

export interface ListOptions {
  all: boolean;
  /** The last N created, of all states; 0: no limit. */
  limit: number;
  size: boolean;
  filters: Filters;
}

export interface LogOptions {
  follow: boolean;
  stdout: boolean;
  stderr: boolean;
  /** ms since the epoch; undefined: no bound. */
  since: number | undefined;
  until: number | undefined;
  timestamps: boolean;
  /** Undefined: all. */
  tail: number | undefined;
  /** Put the log-opt labels and env before each line. */
  details: boolean;
}

export interface AttachOptions {
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  /** Send what the log has first. */
  logs: boolean;
  /** Go on with live output. */
  stream: boolean;
  /** Docker's grammar, `ctrl-p,ctrl-q` by default. */
  detachKeys: string;
}

export interface ExecConfig {
  AttachStdin: boolean;
  AttachStdout: boolean;
  AttachStderr: boolean;
  DetachKeys: string;
  Tty: boolean;
  Env: string[];
  Cmd: string[];
  Privileged: boolean;
  User: string;
  WorkingDir: string;
  ConsoleSize?: [height: number, width: number];
}

export interface ExecInspect {
  ID: string;
  Running: boolean;
  ExitCode: number | null;
  ProcessConfig: { tty: boolean; entrypoint: string; arguments: string[]; privileged: boolean; user: string };
  OpenStdin: boolean;
  OpenStderr: boolean;
  OpenStdout: boolean;
  CanRemove: boolean;
  ContainerID: string;
  DetachKeys: string;
  Pid: number;
}

export interface WaitResult {
  StatusCode: number;
  Error?: { Message: string };
}

export type WaitCondition = 'not-running' | 'next-exit' | 'removed';

/** moby: EventMessage. */
export interface EventMessage {
  Type: 'container' | 'image' | 'volume' | 'network' | 'daemon';
  Action: string;
  Actor: { ID: string; Attributes: Record<string, string> };
  scope: 'local';
  time: number;
  timeNano: number;
  status?: string;
  id?: string;
  from?: string;
}

export interface EventOptions {
  /** ms since the epoch. */
  since: number | undefined;
  until: number | undefined;
  filters: Filters;
}

export type { PathStat };

export interface ArchivePutOptions {
  /** Refuse to replace a directory by something else, and the reverse. */
  noOverwriteDirNonDir: boolean;
  /** Give the files to the container's user. */
  copyUidGid: boolean;
}

export interface ContainerCommitRequest {
  container: string;
  reference: string;
  comment: string;
  author: string;
  /** Freeze the container meanwhile. */
  pause: boolean;
  changes: readonly string[];
  /** Replaces the container's configuration; undefined: the container's. */
  config: ContainerConfig | undefined;
}

export interface ContainerOperations {
  create(request: ContainerCreateRequest): Promise<{ Id: string; Warnings: string[] }>;
  inspect(reference: string, options?: { size?: boolean }): Promise<ContainerInspect>;
  list(options: ListOptions): Promise<ContainerSummary[]>;
  /** Resolves once the process runs. @throws notModified when it runs already. `runtime`: `isula start -R`. */
  start(reference: string, options?: { runtime?: string; signal?: AbortSignal }): Promise<void>;
  /** `timeoutSeconds`: undefined the container's own, -1 for ever, 0 kill at once. @throws notModified when it is not running. */
  stop(reference: string, options: { timeoutSeconds: number | undefined; signal?: string; force?: boolean }): Promise<void>;
  restart(reference: string, options: { timeoutSeconds: number | undefined; signal?: string }): Promise<void>;
  /** `signal`: name or number; empty: KILL. */
  kill(reference: string, signal: string): Promise<void>;
  pause(reference: string): Promise<void>;
  unpause(reference: string): Promise<void>;
  /** Rejects at once for an unknown container; the wait is registered before it returns. */
  wait(reference: string, condition: WaitCondition, signal: AbortSignal): { registered: true; result: Promise<WaitResult> };
  remove(reference: string, options: { force: boolean; volumes: boolean }): Promise<void>;
  rename(reference: string, newName: string): Promise<void>;
  update(reference: string, update: ResourceUpdate): Promise<{ Warnings: string[] }>;
  top(reference: string, psArgs: string): Promise<{ Titles: string[]; Processes: string[][] }>;
  /** Docker's stats JSON (moby: ContainerStatsResponse), one at once when `stream` is false. */
  stats(reference: string, options: { stream: boolean; oneShot: boolean }, signal: AbortSignal): AsyncIterable<Record<string, unknown>>;
  /** Delivers the log to the sink; resolves when all was delivered (or the signal aborted). */
  logs(reference: string, options: LogOptions, sink: OutputSink, signal: AbortSignal): Promise<void>;
  /** True when the container has a terminal: its output is raw, not multiplexed. */
  hasTty(reference: string): boolean;
  attach(reference: string, options: AttachOptions, sink: OutputSink, signal: AbortSignal): Promise<ProcessSession>;
  resize(reference: string, height: number, width: number): Promise<void>;
  execCreate(reference: string, config: ExecConfig): Promise<string>;
  /** `sink` undefined: detached. */
  execStart(
    execId: string, options: { sink: OutputSink | undefined; tty: boolean; consoleSize?: [number, number]; signal?: AbortSignal },
  ): Promise<ProcessSession | undefined>;
  execInspect(execId: string): ExecInspect;
  execResize(execId: string, height: number, width: number): Promise<void>;
  changes(reference: string): Promise<{ Path: string; Kind: 0 | 1 | 2 }[]>;
  export(reference: string, signal: AbortSignal): Promise<Readable>;
  archiveStat(reference: string, path: string): Promise<PathStat>;
  archiveGet(reference: string, path: string, signal: AbortSignal): Promise<{ stat: PathStat; tar: Readable }>;
  archivePut(reference: string, path: string, tar: Readable, options: ArchivePutOptions, signal: AbortSignal): Promise<void>;
  commit(request: ContainerCommitRequest, signal: AbortSignal): Promise<{ Id: string }>;
  prune(filters: Filters, options?: PruneOptions): Promise<{ ContainersDeleted: string[]; SpaceReclaimed: number }>;
}

export interface VolumeOperations {
  create(request: { Name: string; Driver: string; DriverOpts: Record<string, string>; Labels: Record<string, string> }): Promise<VolumeRecord>;
  list(filters: Filters): Promise<{ Volumes: VolumeRecord[]; Warnings: string[] }>;
  inspect(name: string): Promise<VolumeRecord>;
  remove(name: string, force: boolean): Promise<void>;
  prune(filters: Filters, options?: PruneOptions): Promise<{ VolumesDeleted: string[]; SpaceReclaimed: number }>;
}

/** Answer of /system/check (isula's own). */
export interface CheckReport {
  Problems: { Kind: string; Path: string; Detail: string; Repaired: boolean }[];
}

export interface SystemOperations {
  /** moby: SystemInfo, with isula's own fields. */
  info(): Promise<Record<string, unknown>>;
  /** moby: SystemVersion. */
  version(): Record<string, unknown>;
  /** Past events first, then live ones until the signal or `until`. Registered when the call returns. */
  events(options: EventOptions, signal: AbortSignal): AsyncIterable<EventMessage>;
  /** moby: SystemDataUsageResponse. */
  diskUsage(): Promise<Record<string, unknown>>;
  /** `isula system check`: every byte under the graph root is owned or reported. */
  check(options: StoreCheckOptions, signal: AbortSignal): Promise<CheckReport>;
}

/** The engine as api/ sees it. Every failure is an EngineError. */
export interface Engine {
  readonly containers: ContainerOperations;
  readonly images: ImageService;
  readonly volumes: VolumeOperations;
  readonly system: SystemOperations;
  /** Adopts what runs, applies exits and restart policies. */
  recover(): Promise<void>;
  /** Stops serving; containers go on. */
  close(): Promise<void>;
}

export type { ContainerCreateRequest, NetworkingConfig, ResourceUpdate };
