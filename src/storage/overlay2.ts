import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { EngineError, errnoOf, failPoint, fsyncDir, isContainerId, isDigest, messageOf, shortId } from '../base/index.ts';
import type { ChainId, ContainerId, Logger } from '../base/index.ts';
import { AT_FDCWD, chmodAt, chownAt, hasProjectQuota, mountOverlay, readMounts, statAt, statFileSystem, umountAll } from '../linux/index.ts';
import { syncFileSystem } from './durable.ts';
import { Layout } from './layout.ts';
import { parseOverlay2Options, type Overlay2Options } from './options.ts';
import { auditOverlay2 } from './overlay2-audit.ts';
import { checkOverlay, overlayFlags } from './overlay2-check.ts';
import { ProjectQuotas } from './project-quotas.ts';
import { Stacks } from './stacks.ts';
import { treeSize } from './tree-size.ts';
import type { ContainerLayerOptions, LayerStaging, SnapshotDriver, StorageProblem } from './types.ts';

/** OVL_MAX_STACK of the kernel. */
const layersMax = 500;

export interface OpenOverlay2 {
  /** The engine's graph root (default /var/lib/isulad). */
  graphRoot: string;
  /** `--storage-opt` values, `overlay2.size=10G`. */
  options: readonly string[];
  /** Whom the root of a layer belongs to that says nothing: the host's id of a remapped root. */
  owner?: { uid: number; gid: number } | undefined;
  logger: Logger;
}

/**
 * Opens the overlay2 snapshot driver; the layout is described in layout.ts.
 * @throws EngineError unsupported when the file system or the kernel cannot do it, invalidArgument for an unknown option.
 */
export function openOverlay2({ graphRoot, options, owner, logger }: OpenOverlay2): SnapshotDriver {
  const parsed = parseOverlay2Options(options);
  const layout = new Layout(graphRoot, owner);
  try {
    checkOverlay(layout, parsed.overrideKernelCheck);
  } catch (error) {
    // A daemon that does not start could not free anything either.
    if (errnoOf(error) !== 'ENOSPC' && errnoOf(error) !== 'EDQUOT') throw error;
    logger.warn(`Cannot try an overlay on ${layout.base}: ${messageOf(error)}`);
  }
  if (parsed.quotaBytes !== undefined && !hasProjectQuota(layout.base)) {
    throw new EngineError('unsupported', `Cannot use overlay2.size: the file system of ${layout.base} has no project quota (mount it with prjquota)`);
  }
  return new Overlay2(layout, parsed, logger);
}

class Overlay2 implements SnapshotDriver {
  readonly name = 'overlay2';
  readonly #layers = new Set<ChainId>();
  readonly #sizes = new Map<ChainId, number>();
  readonly #containers = new Set<ContainerId>();
  readonly #mounted = new Set<ContainerId>();
  readonly #stacks: Stacks;
  readonly #quotas: ProjectQuotas;
  /** Paths in staging that are worked on. */
  readonly #busy = new Set<string>();

  constructor(
    private readonly layout: Layout,
    private readonly options: Overlay2Options,
    private readonly logger: Logger,
  ) {
    this.#stacks = new Stacks(layout);
    this.#quotas = new ProjectQuotas(layout);
    for (const name of readdirSync(layout.layers)) {
      const chainId = `sha256:${name}`;
      if (isDigest(chainId)) this.#layers.add(chainId);
    }
    for (const name of readdirSync(layout.containers)) if (isContainerId(name)) this.#containers.add(name);
    for (const { mountPoint } of readMounts()) {
      if (!mountPoint.startsWith(`${layout.containers}/`) || basename(mountPoint) !== 'merged') continue;
      const id = mountPoint.slice(layout.containers.length + 1, -'/merged'.length);
      if (isContainerId(id)) this.#mounted.add(id);
    }
  }

  status(): [string, string][] {
    const { name } = statFileSystem(this.layout.base);
    return [
      ['Backing Filesystem', name], ['Supports d_type', 'true'], ['Using metacopy', 'false'], ['Native Overlay Diff', 'true'],
      ['Project Quota', String(hasProjectQuota(this.layout.base))],
    ];
  }

  hasLayer(chainId: ChainId): boolean {
    return this.#layers.has(chainId);
  }

  listLayers(): ChainId[] {
    return [...this.#layers];
  }

  layerSize(chainId: ChainId): number {
    this.#needLayer(chainId);
    const known = this.#sizes.get(chainId);
    if (known !== undefined) return known;
    const bytes = Number(readFileSync(join(this.layout.layer(chainId), 'size'), 'utf8'));
    this.#sizes.set(chainId, bytes);
    return bytes;
  }

  layerPath(chainId: ChainId): string {
    this.#needLayer(chainId);
    return this.layout.diff(chainId);
  }

  async stageLayer(chainId: ChainId, below: readonly ChainId[] = []): Promise<LayerStaging> {
    const parents = below.map((parent) => this.layerPath(parent)).reverse();
    const directory = this.layout.newStaging('layer');
    this.#busy.add(directory);
    const path = join(directory, 'diff');
    mkdirSync(path, { mode: 0o755 });
    chownSync(path, this.layout.owner.uid, this.layout.owner.gid);
    return {
      path,
      parents,
      commit: (sizeBytes) => this.#commit(chainId, directory, sizeBytes),
      [Symbol.asyncDispose]: () => this.#discard(directory),
    };
  }

  async #commit(chainId: ChainId, directory: string, sizeBytes: number): Promise<void> {
    writeFileSync(join(directory, 'size'), `${sizeBytes}\n`, { mode: 0o600 });
    await syncFileSystem(directory);
    if (this.#layers.has(chainId)) return;
    renameSync(directory, this.layout.layer(chainId));
    fsyncDir(this.layout.layers);
    this.#sizes.set(chainId, sizeBytes);
    this.#layers.add(chainId);
  }

  async removeLayer(chainId: ChainId): Promise<void> {
    if (!this.#layers.has(chainId)) return;
    for (const id of this.#containers) {
      if (!this.#stacks.uses(id, chainId)) continue;
      throw new EngineError('conflict', `Cannot remove layer ${shortId(chainId)}: container ${shortId(id)} stands on it`);
    }
    const doomed = this.layout.stagingName('removed');
    renameSync(this.layout.layer(chainId), doomed);
    this.#layers.delete(chainId);
    this.#sizes.delete(chainId);
    fsyncDir(this.layout.layers);
    failPoint('layer.removed');
    await this.#discard(doomed);
  }

  async createContainer(id: ContainerId, { layers, quotaBytes }: ContainerLayerOptions): Promise<void> {
    if (this.#containers.has(id)) return;
    if (layers.length > layersMax) {
      throw new EngineError('invalidArgument', `Cannot create container ${shortId(id)}: ${layers.length} layers, the limit is ${layersMax}`);
    }
    for (const layer of layers) this.#needLayer(layer);
    const directory = this.layout.newStaging('container');
    try {
      const limit = quotaBytes ?? this.options.quotaBytes;
      if (limit !== undefined) this.#quotas.limit(directory, limit);
      const upper = join(directory, 'upper');
      for (const [name, mode] of [['upper', 0o755], ['work', 0o700], ['merged', 0o700]] as const) mkdirSync(join(directory, name), { mode });
      // The merged root shows the upper directory's own owner and mode: they are those of the image's root.
      const top = layers.at(-1);
      if (top === undefined) chownSync(upper, this.layout.owner.uid, this.layout.owner.gid);
      else {
        const root = statAt(AT_FDCWD, this.layout.diff(top));
        chownAt(AT_FDCWD, upper, root.uid, root.gid);
        chmodAt(AT_FDCWD, upper, root.mode & 0o7777);
      }
      symlinkSync(this.#stacks.keep(id, layers), join(directory, 'stack'));
      renameSync(directory, this.layout.container(id));
    } catch (error) {
      this.#stacks.forget(id);
      rmSync(directory, { recursive: true, force: true });
      throw error;
    }
    this.#containers.add(id);
  }

  async mountContainer(id: ContainerId): Promise<string> {
    this.#needContainer(id);
    const target = this.layout.merged(id);
    if (this.#mounted.has(id) && this.#isMountPoint(id)) return target;
    const directory = this.layout.container(id);
    try {
      mountOverlay({ lowers: this.#lowers(id), upper: join(directory, 'upper'), work: join(directory, 'work'), target, options: overlayFlags });
    } catch (error) {
      if (error instanceof EngineError) throw error;
      throw new EngineError('internal', `Cannot mount the root file system of container ${shortId(id)}: ${messageOf(error)}`, { cause: error });
    }
    this.#mounted.add(id);
    return target;
  }

  async unmountContainer(id: ContainerId): Promise<void> {
    if (!this.#mounted.has(id)) return;
    umountAll(this.layout.merged(id));
    this.#mounted.delete(id);
  }

  async removeContainer(id: ContainerId): Promise<void> {
    await this.unmountContainer(id);
    if (!this.#containers.has(id)) return;
    const doomed = this.layout.stagingName('removed');
    renameSync(this.layout.container(id), doomed);
    this.#containers.delete(id);
    this.#stacks.forget(id);
    failPoint('remove.renamed');
    await this.#discard(doomed);
  }

  hasContainer(id: ContainerId): boolean {
    return this.#containers.has(id);
  }

  listContainers(): ContainerId[] {
    return [...this.#containers];
  }

  isMounted(id: ContainerId): boolean {
    return this.#mounted.has(id);
  }

  rootPath(id: ContainerId): string {
    return this.layout.merged(id);
  }

  upperPath(id: ContainerId): string {
    return this.layout.upper(id);
  }

  lowerPaths(id: ContainerId): string[] {
    this.#needContainer(id);
    return this.#stacks.layersOf(id).map((layer) => this.layout.diff(layer)).reverse();
  }

  async containerSize(id: ContainerId, signal?: AbortSignal): Promise<number> {
    this.#needContainer(id);
    return treeSize(this.layout.upper(id), signal);
  }

  async recover(live: ReadonlySet<ContainerId>, running: ReadonlySet<ContainerId>): Promise<void> {
    for (const id of this.#mounted) {
      if (running.has(id)) continue;
      this.logger.info(`unmounting the root file system of container ${shortId(id)}: it does not run`);
      await this.#tidy(id, () => this.unmountContainer(id));
    }
    for (const id of this.#containers) {
      if (live.has(id)) continue;
      this.logger.info(`removing the layer of container ${shortId(id)}: there is no such container`);
      await this.#tidy(id, () => this.removeContainer(id));
    }
    this.#stacks.prune(this.#containers);
    for (const name of readdirSync(this.layout.staging)) await this.#discard(join(this.layout.staging, name));
    for (const name of readdirSync(this.layout.containers)) {
      if (!isContainerId(name)) await this.#discard(join(this.layout.containers, name));
    }
  }

  audit(isOwned: (id: ContainerId) => boolean): StorageProblem[] {
    const view = {
      layout: this.layout, layers: this.#layers, containers: this.#containers, busy: this.#busy, stacks: this.#stacks,
    };
    return auditOverlay2(view, isOwned);
  }

  async removeStray(path: string): Promise<void> {
    const name = basename(path);
    if (isContainerId(name) && path === this.layout.container(name) && this.#containers.has(name)) return this.removeContainer(name);
    const doomed = this.layout.stagingName('stray');
    renameSync(path, doomed);
    await this.#discard(doomed);
  }

  async #tidy(id: ContainerId, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.logger.error(`cannot tidy up container ${shortId(id)}: ${messageOf(error)}`);
    }
  }

  /** Frees what has lost its name already. What cannot be freed now is tried again at the next start. */
  async #discard(path: string): Promise<void> {
    this.#busy.add(path);
    try {
      const merged = join(path, 'merged');
      if (existsSync(merged)) umountAll(merged);
      await rm(path, { recursive: true, force: true });
    } catch (error) {
      this.logger.warn(`cannot free ${path} (tried again at the next start): ${messageOf(error)}`);
    } finally {
      this.#busy.delete(path);
    }
  }

  #lowers(id: ContainerId): string[] {
    const lowers = this.lowerPaths(id);
    return lowers.length === 0 ? [this.layout.empty] : lowers;
  }

  /** Whether the mount is there still: somebody may have unmounted it by hand. */
  #isMountPoint(id: ContainerId): boolean {
    try {
      return statAt(AT_FDCWD, this.layout.merged(id)).dev !== statAt(AT_FDCWD, this.layout.upper(id)).dev;
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return false;
      throw error;
    }
  }

  #needLayer(chainId: ChainId): void {
    if (!this.#layers.has(chainId)) throw new EngineError('notFound', `No such layer: ${chainId}`);
  }

  #needContainer(id: ContainerId): void {
    if (!this.#containers.has(id)) throw new EngineError('notFound', `Container ${shortId(id)} has no writable layer`);
  }
}
