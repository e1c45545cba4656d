import type { ChainId, ContainerId } from '../base/index.ts';

/** A layer being unpacked: a directory of its own that becomes the layer by one rename, or goes away. */
export interface LayerStaging extends AsyncDisposable {
  /** Extract into this directory (overlay2 form: whiteouts as 0/0 character devices, opaque directories by xattr). */
  readonly path: string;
  /** Directories of the parents, top first, for what needs to look below (hard links never cross layers). */
  readonly parents: readonly string[];
  /** Makes the layer durable and visible. `sizeBytes`: unpacked bytes, kept for image sizes. Committing a layer that exists already is no error. */
  commit(sizeBytes: number): Promise<void>;
}

/** What a container's writable layer needs besides its image. */
export interface ContainerLayerOptions {
  /** Bottom first. Empty: an image of no layers. */
  readonly layers: readonly ChainId[];
  /** Limit on what the container may write; undefined: none. Refused (`unsupported`) where the file system has no project quota. */
  readonly quotaBytes?: number;
}

/** Something on disk that does not agree with what the driver knows. */
export interface StorageProblem {
  readonly kind: string;
  readonly path: string;
  readonly detail: string;
  /** Belongs to nothing: `removeStray` may take it away. */
  readonly stray: boolean;
}

/**
 * A snapshot driver keeps image layers (read-only, by chain ID, one directory each) and containers' writable layers.
 * Contract: a layer is never changed after commit; a container's layer is never shared; every call may be repeated after a
 * crash; nothing half-made is ever visible under its final name.
 */
export interface SnapshotDriver {
  readonly name: string;
  /** Pairs for `isula info` (Backing Filesystem, …). */
  status(): [string, string][];
  hasLayer(chainId: ChainId): boolean;
  listLayers(): ChainId[];
  layerSize(chainId: ChainId): number;
  /** Where a layer's files are (its overlay2 diff directory). */
  layerPath(chainId: ChainId): string;
  /** `below`: the layers under it, bottom first; they are `parents` of the staging. */
  stageLayer(chainId: ChainId, below?: readonly ChainId[]): Promise<LayerStaging>;
  removeLayer(chainId: ChainId): Promise<void>;

  createContainer(id: ContainerId, options: ContainerLayerOptions): Promise<void>;
  /** Mounts and gives the root file system's path; mounting twice is no error. */
  mountContainer(id: ContainerId): Promise<string>;
  unmountContainer(id: ContainerId): Promise<void>;
  removeContainer(id: ContainerId): Promise<void>;
  hasContainer(id: ContainerId): boolean;
  listContainers(): ContainerId[];
  isMounted(id: ContainerId): boolean;
  /** The merged root's mount point, mounted or not. */
  rootPath(id: ContainerId): string;
  /** Where the container's own changes are, in overlay2 form. */
  upperPath(id: ContainerId): string;
  /** Image directories below the container's, top first. */
  lowerPaths(id: ContainerId): string[];
  /** Bytes that the container wrote. */
  containerSize(id: ContainerId, signal?: AbortSignal): Promise<number>;
  /** Start-up: removes staging leftovers, and containers' layers whose id is not in `live`; unmounts those not in `running`. */
  recover(live: ReadonlySet<ContainerId>, running: ReadonlySet<ContainerId>): Promise<void>;
  /** Compares what is on disk with what is known. `isOwned`: containers that exist or are being made. */
  audit(isOwned: (id: ContainerId) => boolean): StorageProblem[];
  /** Removes what `audit` called a stray; a layer's or container's too. */
  removeStray(path: string): Promise<void>;
}
