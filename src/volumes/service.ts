import { randomBytes } from 'node:crypto';
import {
  booleanFilter, checkFilters, EngineError, formatTime, Lane, lacksLabels, matchesLabels, messageOf, nowMs, type Logger,
} from '../base/index.ts';
import { isVolumeName } from '../model/index.ts';
import type { StateDb } from '../state/index.ts';
import { treeSize } from '../storage/index.ts';
import { copyUp } from './copy-up.ts';
import { checkDriverOptions, isVolumeMounted, mountVolume, needsMount, unmountVolume } from './local-driver.ts';
import { VolumeStore, type StoredVolume } from './store.ts';
import type { VolumeCreateRequest, VolumeFilters, VolumePruneOptions, VolumeRecord, VolumeUsage } from './types.ts';

/** Docker marks anonymous volumes by this label. */
const anonymousLabel = 'com.docker.volume.anonymous';
const volumesMax = 100_000;
/** Labels of one volume, and characters of a label. */
const labelsMax = 1000;
const labelLengthMax = 65_536;

export interface VolumeHooks {
  /** The containers, running or not, that refer to a volume. */
  readonly uses: (name: string) => readonly string[];
  readonly event: (action: string, name: string, attributes: Record<string, string>) => void;
}

/** The volumes of the local driver, the only one. Every change is durable when it returns. */
export class VolumeService {
  readonly #store: VolumeStore;
  readonly #logger: Logger;
  readonly #lanes = new Map<string, { lane: Lane; tasks: number }>();
  /** Per volume: containers that run with it. */
  readonly #mounts = new Map<string, Set<string>>();
  /** Per volume: users that no record shows yet. */
  readonly #pins = new Map<string, number>();
  #hooks: VolumeHooks = { uses: () => [], event() {} };

  /** `rootOwner`: the containers' root as the host has it, where the daemon remaps users. */
  constructor(options: { db: StateDb; graphRoot: string; logger: Logger; rootOwner?: { uid: number; gid: number } | undefined }) {
    this.#store = new VolumeStore(options.db, options.graphRoot, options.logger, options.rootOwner ?? { uid: 0, gid: 0 });
    this.#logger = options.logger;
  }

  /** Called by the engine once, before anything else. */
  bind(hooks: VolumeHooks): void {
    this.#hooks = hooks;
  }

  /**
   * Start-up: repairs what a crash left. `running`: which containers run with which volumes; mounts of others are undone. `live`: the
   * containers that exist; anonymous volumes of others go, as their container did or never came to be.
   */
  async recover(running: readonly { volume: string; container: string }[], live: ReadonlySet<string>): Promise<void> {
    for (const { volume, container } of running) this.#usersOf(volume).add(container);
    for (const volume of this.#store.all()) {
      if (!needsMount(volume.options) || this.#mounts.has(volume.name)) continue;
      try {
        unmountVolume(this.#store.dataPath(volume.name));
      } catch (error) {
        this.#logger.warn(`Cannot unmount volume ${volume.name}: ${messageOf(error)}`);
      }
    }
    await this.#store.recover();
    for (const { name, owner } of this.#store.all()) {
      if (owner === '' || live.has(owner)) continue;
      try {
        await this.releaseAnonymous(name, true);
      } catch (error) {
        this.#logger.warn(`Cannot remove volume ${name} of a container that is gone: ${messageOf(error)}`);
      }
    }
  }

  /** What the API offers (`VolumeOperations` of the engine). */
  readonly operations = {
    create: (request: VolumeCreateRequest): Promise<VolumeRecord> => this.create(request),
    list: (filters: VolumeFilters): Promise<{ Volumes: VolumeRecord[]; Warnings: string[] }> => this.#list(filters),
    inspect: async (name: string): Promise<VolumeRecord> => this.get(name),
    remove: (name: string, force: boolean): Promise<void> => this.#remove(name, force),
    prune: (filters: VolumeFilters, options: VolumePruneOptions = {}): Promise<{ VolumesDeleted: string[]; SpaceReclaimed: number }> =>
      this.#prune(filters, options),
  };

  /**
   * The volume of that name, made when there is none. `owner`: the container that an anonymous one is made for, which may not exist yet.
   * @throws conflict when it exists with other options.
   */
  async create(request: VolumeCreateRequest, owner = ''): Promise<VolumeRecord> {
    const anonymous = request.Name === '';
    const name = anonymous ? randomBytes(32).toString('hex') : request.Name;
    if (!isVolumeName(name)) throw badName(name);
    if (request.Driver !== '' && request.Driver !== 'local' && request.Driver !== 'default') {
      throw new EngineError(
        'notFound',
        `create ${name}: error looking up volume plugin ${request.Driver.slice(0, 80)}: plugin "${request.Driver.slice(0, 80)}" not found`,
      );
    }
    try {
      checkDriverOptions(request.DriverOpts);
    } catch (error) {
      throw error instanceof EngineError ? new EngineError(error.code, `create ${name}: ${error.message}`) : error;
    }
    checkLabels(request.Labels);
    return this.#lane(name, async () => {
      const existing = this.#store.get(name);
      if (existing !== undefined) {
        if (Object.keys(request.DriverOpts).length > 0 && !sameMap(request.DriverOpts, existing.options ?? {})) {
          throw new EngineError('conflict', `create ${name}: conflict: a volume of that name exists with other options`);
        }
        return this.#record(existing);
      }
      if (this.#store.all().length >= volumesMax) {
        throw new EngineError('resourceExhausted', `create ${name}: there are ${volumesMax} volumes already`);
      }
      if (this.#store.isTaken(name)) throw new EngineError('conflict', `create ${name}: its directory exists and belongs to no volume: move it away`);
      const volume: StoredVolume = {
        name, createdAt: nowMs(), labels: anonymous ? { [anonymousLabel]: '', ...request.Labels } : { ...request.Labels },
        options: Object.keys(request.DriverOpts).length > 0 ? { ...request.DriverOpts } : null, anonymous,
        owner: anonymous ? owner : '',
      };
      await this.#store.insert(volume);
      this.#hooks.event('create', name, { driver: 'local' });
      return this.#record(volume);
    });
  }

  /** @throws notFound in docker's words. */
  get(name: string): VolumeRecord {
    return this.#record(this.#find(name));
  }

  has(name: string): boolean {
    return this.#store.get(name) !== undefined;
  }

  /** Keeps a volume from being removed until disposed: while a container that will refer to it is made. */
  pin(name: string): Disposable {
    this.#pins.set(name, (this.#pins.get(name) ?? 0) + 1);
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (!held) return;
        held = false;
        const left = (this.#pins.get(name) ?? 1) - 1;
        if (left === 0) this.#pins.delete(name);
        else this.#pins.set(name, left);
      },
    };
  }

  /** Makes the volume's data reachable for a container's run and gives its path. May be repeated. */
  async mount(name: string, container: string): Promise<string> {
    return this.#lane(name, async () => {
      const volume = this.#find(name);
      const path = this.#store.dataPath(name);
      if (needsMount(volume.options)) mountVolume(path, volume.options ?? {});
      this.#usersOf(name).add(container);
      return path;
    });
  }

  /** The run is over; the last one undoes the mount. No error for a volume that is gone. */
  async unmount(name: string, container: string): Promise<void> {
    await this.#lane(name, async () => {
      const users = this.#mounts.get(name);
      users?.delete(container);
      if (users !== undefined && users.size > 0) return;
      this.#mounts.delete(name);
      const volume = this.#store.get(name);
      if (volume !== undefined && needsMount(volume.options)) unmountVolume(this.#store.dataPath(name));
    });
  }

  /** Fills an empty volume from the image's directory of the same place; `rootfs`: the container's, mounted. */
  async copyUp(name: string, rootfs: string, target: string): Promise<void> {
    await this.#lane(name, async () => {
      const volume = this.#find(name);
      const data = this.#store.dataPath(name);
      // The one for whose start it is filled has it already.
      const isShared = (this.#mounts.get(name)?.size ?? 0) > 1;
      if (!needsMount(volume.options)) return copyUp(rootfs, target, data, isShared);
      const wasMounted = isVolumeMounted(data);
      mountVolume(data, volume.options ?? {});
      try {
        await copyUp(rootfs, target, data, true);
      } finally {
        if (!wasMounted) unmountVolume(data);
      }
    });
  }

  /**
   * What becomes of a container's anonymous volume. `remove`: the container is gone, and the volume goes unless others refer to it.
   * Else the volume stays; to be said before the container is gone, or a crash in between takes the volume for one that should go.
   */
  async releaseAnonymous(name: string, remove: boolean): Promise<void> {
    const volume = this.#store.get(name);
    if (volume === undefined || !volume.anonymous) return;
    if (remove && this.#usedBy(name).length === 0) await this.#remove(name, false);
    else await this.#lane(name, () => this.#store.disown(name));
  }

  async withUsage(record: VolumeRecord): Promise<VolumeRecord & { UsageData: VolumeUsage }> {
    let bytes = -1;
    try {
      bytes = await treeSize(record.Mountpoint);
    } catch (error) {
      this.#logger.debug(`Cannot measure volume ${record.Name}: ${messageOf(error)}`);
    }
    return { ...record, UsageData: { Size: bytes, RefCount: this.#hooks.uses(record.Name).length } };
  }

  async #list(filters: VolumeFilters): Promise<{ Volumes: VolumeRecord[]; Warnings: string[] }> {
    checkFilters(filters, ['dangling', 'driver', 'label', 'label!', 'name']);
    const dangling = booleanFilter(filters, 'dangling');
    const [names, drivers] = [filters.get('name') ?? [], filters.get('driver') ?? []];
    const chosen = this.#store.all().filter((volume) => matchesLabels(filters, volume.labels) && lacksLabels(filters, volume.labels)
      && (names.length === 0 || names.some((name) => volume.name.includes(name)))
      && (drivers.length === 0 || drivers.includes('local'))
      && (dangling === undefined || dangling === (this.#usedBy(volume.name).length === 0)));
    chosen.sort((a, b) => (a.name < b.name ? -1 : 1));
    return { Volumes: chosen.map((volume) => this.#record(volume)), Warnings: [] };
  }

  async #remove(name: string, force: boolean): Promise<void> {
    const deleteFiles = await this.#lane(name, async () => {
      if (force && this.#store.get(name) === undefined) return undefined;
      const volume = this.#find(name);
      const users = this.#usedBy(name);
      if (users.length > 0) throw new EngineError('conflict', `remove ${name}: volume is in use - [${users.join(', ')}]`);
      if (this.#pins.has(name)) throw new EngineError('conflict', `remove ${name}: volume is in use - a container is being created with it`);
      if (needsMount(volume.options)) unmountVolume(this.#store.dataPath(name));
      const files = await this.#store.remove(name);
      this.#hooks.event('destroy', name, { driver: 'local' });
      return files;
    });
    try {
      await deleteFiles?.();
    } catch (error) {
      this.#logger.warn(`Cannot delete the files of volume ${name}, the next start tries again: ${messageOf(error)}`);
    }
  }

  /** Anonymous volumes that nobody refers to; `all=true`: named ones too (the default of API versions before 1.42). */
  async #prune(
    filters: VolumeFilters, { dryRun = false, withoutContainers = new Set() }: VolumePruneOptions,
  ): Promise<{ VolumesDeleted: string[]; SpaceReclaimed: number }> {
    checkFilters(filters, ['all', 'label', 'label!']);
    const all = booleanFilter(filters, 'all') ?? false;
    const deleted: string[] = [];
    let bytes = 0;
    for (const volume of this.#store.all()) {
      if ((!all && !volume.anonymous) || !matchesLabels(filters, volume.labels) || !lacksLabels(filters, volume.labels)) continue;
      if (this.#usedBy(volume.name).some((id) => !withoutContainers.has(id)) || this.#pins.has(volume.name)) continue;
      const size = needsMount(volume.options) ? 0 : (await this.withUsage(this.#record(volume))).UsageData.Size;
      try {
        if (!dryRun) await this.#remove(volume.name, false);
      } catch (error) {
        this.#logger.debug(`Cannot prune volume ${volume.name}: ${messageOf(error)}`);
        continue;
      }
      deleted.push(volume.name);
      bytes += Math.max(0, size);
    }
    if (!dryRun) this.#hooks.event('prune', '', { reclaimed: String(bytes) });
    return { VolumesDeleted: deleted, SpaceReclaimed: bytes };
  }

  #usedBy(name: string): string[] {
    return [...new Set([...this.#hooks.uses(name), ...(this.#mounts.get(name) ?? [])])];
  }

  #usersOf(name: string): Set<string> {
    const users = this.#mounts.get(name) ?? new Set();
    this.#mounts.set(name, users);
    return users;
  }

  #find(name: string): StoredVolume {
    const volume = this.#store.get(name);
    if (volume === undefined) throw new EngineError('notFound', `get ${name.slice(0, 255)}: no such volume`);
    return volume;
  }

  #record(volume: StoredVolume): VolumeRecord {
    return {
      Name: volume.name, Driver: 'local', Mountpoint: this.#store.dataPath(volume.name), CreatedAt: formatTime(volume.createdAt),
      Labels: { ...volume.labels }, Scope: 'local', Options: volume.options === null ? null : { ...volume.options },
    };
  }

  async #lane<T>(name: string, task: () => Promise<T>): Promise<T> {
    const entry = this.#lanes.get(name) ?? { lane: new Lane(), tasks: 0 };
    this.#lanes.set(name, entry);
    entry.tasks++;
    try {
      return await entry.lane.run(task);
    } finally {
      if (--entry.tasks === 0) this.#lanes.delete(name);
    }
  }
}

function badName(name: string): EngineError {
  if (name.length === 1) return new EngineError('invalidArgument', 'volume name is too short, names should be at least two alphanumeric characters');
  const shown = JSON.stringify(name.slice(0, 255));
  return new EngineError(
    'invalidArgument',
    `create ${name.slice(0, 255)}: ${shown} includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. `
      + 'If you intended to pass a host directory, use absolute path',
  );
}

function checkLabels(labels: Readonly<Record<string, string>>): void {
  const entries = Object.entries(labels);
  if (entries.length > labelsMax) throw new EngineError('invalidArgument', `Invalid labels: more than ${labelsMax}`);
  for (const [name, value] of entries) {
    if (name === '' || name.length + value.length > labelLengthMax) {
      throw new EngineError('invalidArgument', `Invalid label ${JSON.stringify(name.slice(0, 80))}: empty or too long`);
    }
  }
}

function sameMap(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}
