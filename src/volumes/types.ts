/** A volume as the Docker Engine API shows it (moby: Volume). */
export interface VolumeRecord {
  Name: string;
  Driver: string;
  Mountpoint: string;
  /** RFC 3339. */
  CreatedAt: string;
  Labels: Record<string, string>;
  Scope: 'local';
  Options: Record<string, string> | null;
}

/** Its use: bytes on disk, and how many containers refer to it. */
export interface VolumeUsage {
  Size: number;
  RefCount: number;
}

export interface VolumeCreateRequest {
  /** Empty: an anonymous volume. */
  Name: string;
  Driver: string;
  DriverOpts: Record<string, string>;
  Labels: Record<string, string>;
}

/** How a prune is done; nothing given: for real. */
export interface VolumePruneOptions {
  /** Report what would go, remove nothing. */
  readonly dryRun?: boolean;
  /** Containers that count as gone already. */
  readonly withoutContainers?: ReadonlySet<string>;
}

/** Filters of `volume ls` and `volume prune`, each with the values given for it. */
export type VolumeFilters = ReadonlyMap<string, readonly string[]>;
