/** Shapes of the OCI image specification 1.1 (and Docker's image configuration, a superset). */
import type { ChainId, DiffId, Digest, ImageId } from '../base/index.ts';
import type { HealthConfig } from './container.ts';

export interface ImageConfigFields {
  User?: string;
  ExposedPorts?: Record<string, Record<string, never>>;
  Env?: string[];
  Entrypoint?: string[] | null;
  Cmd?: string[] | null;
  Volumes?: Record<string, Record<string, never>> | null;
  WorkingDir?: string;
  Labels?: Record<string, string> | null;
  StopSignal?: string;
  Healthcheck?: HealthConfig;
  Shell?: string[];
  OnBuild?: string[] | null;
  ArgsEscaped?: boolean;
}

export interface ImageHistoryEntry {
  created?: string;
  created_by?: string;
  author?: string;
  comment?: string;
  empty_layer?: boolean;
}

/** The image configuration document (its digest is the image ID). */
export interface ImageConfigDocument {
  architecture: string;
  os: string;
  variant?: string;
  created?: string;
  author?: string;
  docker_version?: string;
  comment?: string;
  config?: ImageConfigFields;
  rootfs: { type: 'layers'; diff_ids: DiffId[] };
  history?: ImageHistoryEntry[];
}

export interface Descriptor {
  mediaType: string;
  digest: Digest;
  size: number;
  annotations?: Record<string, string>;
  platform?: Platform;
}

export interface Platform {
  architecture: string;
  os: string;
  variant?: string;
  'os.version'?: string;
}

/** One image as the store knows it. */
export interface ImageRecord {
  readonly id: ImageId;
  readonly config: ImageConfigDocument;
  /** `name:tag`, familiar form (without the default host and `library/`). */
  readonly repoTags: readonly string[];
  /** `name@sha256:…`. */
  readonly repoDigests: readonly string[];
  /** Chain IDs, bottom layer first; empty for an image of no layers. */
  readonly layers: readonly ChainId[];
  /** Unpacked bytes of all its layers. */
  readonly size: number;
  /** When it came here, ms since the epoch. */
  readonly addedAt: number;
  /** `oci` or `embedded` (guide 1.3.6.2). */
  readonly type: 'oci' | 'embedded';
  /** The image it was committed from on this host. */
  readonly parent?: ImageId;
}
