import { join } from 'node:path';
import type { ContainerId, IdMaps, Logger, OutputSink } from '../base/index.ts';
import type { ImageService } from '../images/index.ts';
import type { HostConfig, Ulimit } from '../model/index.ts';
import type { RuntimeDriver } from '../runtime/index.ts';
import type { SnapshotDriver } from '../storage/index.ts';
import type { VolumeService } from '../volumes/index.ts';
import type { EventBus } from './events.ts';
import type { OciHooks } from '../runtime/index.ts';
import type { Container } from './container.ts';
import type { HealthMonitor } from './health.ts';
import type { LogRotator } from './logs/index.ts';
import type { ContainerStore } from './store.ts';
import type { WaitResult } from './types.ts';

/** The daemon's settings that the engine needs. */
export interface EngineOptions {
  readonly graphRoot: string;
  readonly stateRoot: string;
  /** `/isulad` unless configured. */
  readonly cgroupParent: string;
  readonly defaultRuntime: string;
  /** 0o027 (secure) or 0o022 (normal). */
  readonly umask: number;
  readonly startTimeoutMs: number;
  readonly defaultUlimits: readonly Ulimit[];
  /** Driver and options for containers that give none. */
  readonly containerLog: HostConfig['LogConfig'];
  /** The daemon's own hooks, checked at its start. */
  readonly defaultHooks: OciHooks | undefined;
  /** userns-remap: containers have a user namespace of these ids, unless they ask for the host's. */
  readonly idMaps: IdMaps | undefined;
  readonly version: string;
  readonly gitCommit: string;
  /** What `info` shows of the configuration: registries, log level and the like. */
  readonly facts: Readonly<Record<string, unknown>>;
}

/** What an exit leads to; the verbs themselves stand above exit handling. */
export interface AfterExit {
  restart(container: Container): Promise<void>;
  remove(container: Container, exit: WaitResult): Promise<void>;
}

/** Runs a health check in a container. */
export interface ExecProbe {
  probe(container: Container, command: readonly string[], output: OutputSink, signal: AbortSignal): Promise<number>;
}

/** What the verbs of the engine work on. */
export interface EngineContext {
  readonly options: EngineOptions;
  readonly logger: Logger;
  readonly store: ContainerStore;
  readonly snapshots: SnapshotDriver;
  readonly images: ImageService;
  readonly runtime: RuntimeDriver;
  readonly volumes: VolumeService;
  readonly events: EventBus;
  readonly rotator: LogRotator;
  readonly health: HealthMonitor;
  readonly execs: ExecProbe;
  readonly afterExit: AfterExit;
  /** This boot's id: pids of another boot mean nothing. */
  readonly bootId: string;
}

/** The container's own directory under the graph root: etc files and its log. */
export function containerDir(options: EngineOptions, id: ContainerId): string {
  return join(options.graphRoot, 'engines', 'lcr', id);
}

/** The container's bundle under the state root; gone when it does not run. */
export function bundlePath(options: EngineOptions, id: ContainerId): string {
  return join(options.stateRoot, 'bundles', id);
}
