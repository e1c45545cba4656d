import type { Readable } from 'node:stream';
import type { ImageId } from '../base/index.ts';
import type { ImageConfigDocument, ImageConfigFields, ImageHistoryEntry, ImageRecord } from '../model/index.ts';

/** Registry credentials (Docker's X-Registry-Auth). */
export interface RegistryAuth {
  username?: string;
  password?: string;
  identitytoken?: string;
  registrytoken?: string;
  serveraddress?: string;
}

/** One line of Docker's JSON progress stream. */
export interface ProgressMessage {
  status?: string;
  id?: string;
  progressDetail?: { current?: number; total?: number };
  progress?: string;
  stream?: string;
  error?: string;
  errorDetail?: { message: string; code?: number };
  aux?: unknown;
}

export type ProgressSink = (message: ProgressMessage) => void;

export interface ImportOptions {
  /** `repository[:tag]`; empty: the image stays untagged. */
  reference: string;
  message: string;
  /** Dockerfile instructions (`-c`). */
  changes: readonly string[];
  /** `os/arch[/variant]`; empty: the host's. */
  platform: string;
}

export interface RemoveOptions {
  force: boolean;
  /** Keep untagged parents. */
  noPrune: boolean;
}

/** How a prune is done; nothing given: for real. */
export interface PruneOptions {
  /** Report what would go, remove nothing. */
  readonly dryRun?: boolean;
  /** Containers that count as gone already: a dry run of one prune that comes after another. */
  readonly withoutContainers?: ReadonlySet<string>;
}

/** As `docker rmi` reports it. */
export type RemoveReport = { Untagged: string } | { Deleted: string };

/** Says who uses an image; the engine answers. `running`: cannot be forced. */
export type ImageUseCheck = (id: ImageId) => { containerId: string; running: boolean }[];

/** Filters of `images` (dangling, label, before, since, reference, until), each with the values given for it. */
export type Filters = ReadonlyMap<string, readonly string[]>;

export interface CommitOptions {
  reference: string;
  author: string;
  comment: string;
  changes: readonly string[];
  config: ImageConfigFields;
  /** The image the container was made of; undefined for an external root file system. */
  parent: ImageRecord | undefined;
  /** The changes, a tar in OCI form (`.wh.` whiteouts). */
  layer: Readable;
}

export interface HistoryRow {
  Id: string;
  Created: number;
  CreatedBy: string;
  Tags: string[] | null;
  Size: number;
  Comment: string;
}

export interface StoreCheckOptions {
  /** Put right what can be. */
  readonly repair: boolean;
  /** Read every blob and file, and compare them with their digests. */
  readonly content: boolean;
}

/** What `system check` found. */
export interface StoreProblem {
  readonly kind: string;
  readonly path: string;
  readonly detail: string;
  readonly repaired: boolean;
}

/** The image side of the engine: references, content store, unpacked layers, registries. Every change is durable when it returns. */
export interface ImageService {
  /** By name[:tag], name@digest, id or unique id prefix. @throws notFound `No such image: NAME`. */
  resolve(reference: string): ImageRecord;
  get(id: ImageId): ImageRecord | undefined;
  list(filters: Filters, all: boolean): ImageRecord[];
  count(): number;
  /** The stored bytes of the configuration document. */
  configBytes(id: ImageId): Uint8Array;
  tag(source: string, repository: string, tag: string): Promise<void>;
  remove(reference: string, options: RemoveOptions): Promise<RemoveReport[]>;
  prune(filters: Filters, options?: PruneOptions): Promise<{ reports: RemoveReport[]; spaceReclaimed: number }>;
  history(reference: string): HistoryRow[];
  import(archive: Readable, options: ImportOptions, progress: ProgressSink, signal: AbortSignal): Promise<ImageRecord>;
  /** `manifestPath`: for `embedded`, where the manifest that is sent lies on this host; its layers are found from there. */
  load(
    archive: Readable,
    options: { tag: string; type: 'oci' | 'embedded'; quiet: boolean; manifestPath?: string },
    progress: ProgressSink,
    signal: AbortSignal,
  ): Promise<ImageRecord[]>;
  /** What an http(s) URL gives, for `import`. */
  openRemoteArchive(url: string, signal: AbortSignal): Promise<Readable>;
  save(references: readonly string[], signal: AbortSignal): Promise<Readable>;
  commit(options: CommitOptions, signal: AbortSignal): Promise<ImageRecord>;
  pull(
    request: { reference: string; all: boolean; platform: string; auth: RegistryAuth | undefined },
    progress: ProgressSink,
    signal: AbortSignal,
  ): Promise<ImageRecord[]>;
  push(request: { reference: string; all: boolean; auth: RegistryAuth | undefined }, progress: ProgressSink, signal: AbortSignal): Promise<void>;
  /** `keep`: the daemon keeps the credentials for later pulls and pushes of whoever gives none; else it only verifies them. */
  login(auth: RegistryAuth, keep: boolean, signal: AbortSignal): Promise<{ status: string; identityToken: string }>;
  logout(server: string): Promise<void>;
  search(request: { term: string; limit: number; filters: Filters; auth: RegistryAuth | undefined }, signal: AbortSignal): Promise<SearchRow[]>;
  distribution(reference: string, auth: RegistryAuth | undefined, signal: AbortSignal): Promise<unknown>;
  /** Called by the engine once, before anything else: who uses an image, and where image events go. */
  bind(hooks: { uses: ImageUseCheck; event: (action: string, id: string, attributes: Record<string, string>) => void }): void;
  /** Removes layers that no image and no container needs: those of an image that was removed by force, once its last container is gone. */
  collectLayers(): Promise<void>;
  /** Blobs and layers against what needs them. */
  check(options: StoreCheckOptions, signal: AbortSignal): Promise<StoreProblem[]>;
  /** Start-up: drops what a crash left half-made. */
  recover(): Promise<void>;
  close(): Promise<void>;
}

export interface SearchRow {
  name: string;
  description: string;
  star_count: number;
  is_official: boolean;
  is_automated: boolean;
}

export type { ImageConfigDocument, ImageHistoryEntry, ImageRecord };
