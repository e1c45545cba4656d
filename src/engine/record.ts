import type { ContainerId, ImageId } from '../base/index.ts';
import type { ContainerConfig, ContainerState, HealthState, HostConfig, ImageConfigFields, NetworkingConfig } from '../model/index.ts';
import type { RunningProcess } from '../runtime/index.ts';
import type { PlannedMount } from './mounts.ts';

/** What was decided when the container was made; changed only by rename and update. */
export interface ContainerRecord {
  readonly id: ContainerId;
  name: string;
  /** ms since the epoch. */
  readonly createdAt: number;
  /** As the user named it, and what it was then; `imageId` is empty for an external root file system. */
  readonly imageName: string;
  readonly imageId: ImageId | '';
  /** The image's configuration then: an image may be removed by force under a container. */
  readonly imageConfig: ImageConfigFields | undefined;
  /** Merged with the image's. */
  readonly config: ContainerConfig;
  hostConfig: HostConfig;
  readonly networkingConfig: NetworkingConfig;
  /** Entrypoint and command, never empty. */
  readonly args: readonly string[];
  /** In mounting order. */
  readonly mounts: readonly PlannedMount[];
  /** Volumes that were made for this container alone and go with `rm -v`. */
  readonly anonymousVolumes: readonly string[];
  /** Path below each controller's mount point: `/isulad/<id>`. */
  readonly cgroupPath: string;
  /** conmon's log file; empty: logging is off. */
  readonly logPath: string;
}

/** What changes as the container lives. */
export interface ContainerDynamics {
  state: ContainerState;
  /** The process of a running or paused container. */
  process: RunningProcess | undefined;
  /** The boot during which `process` was started. */
  bootId: string;
  /** Restarts by the policy since it was last started by hand. */
  restartCount: number;
  /** Stopped or killed by a user: `unless-stopped` and `on-failure` leave it alone. */
  manuallyStopped: boolean;
  /** The runtime it runs under (`isula start -R` may change it). */
  runtime: string;
  health: HealthState | undefined;
  /** Limits are being changed: the cgroup may not be as the record says. */
  updating?: boolean;
  /** A removal under way takes the anonymous volumes with it. */
  removesVolumes?: boolean;
}
