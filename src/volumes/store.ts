import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, renameSync, rmdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, failPoint, fsyncDir, isRecord, messageOf, type Logger } from '../base/index.ts';
import { readMounts } from '../linux/index.ts';
import type { StateDb } from '../state/index.ts';
import { copyDirectory } from './copy-up.ts';
import { isVolumeMounted } from './local-driver.ts';

/** What is stored of a volume. */
export interface StoredVolume {
  readonly name: string;
  /** ms since the epoch. */
  readonly createdAt: number;
  readonly labels: Record<string, string>;
  /** Null: plain, without options of the driver. */
  readonly options: Record<string, string> | null;
  readonly anonymous: boolean;
  /** The container that an anonymous volume was made for and goes with; empty: it goes with none. */
  readonly owner: string;
}

const dataDirectory = '_data';
/** Before the name of a directory whose volume is being removed; no volume's name begins with a dot. */
const removedPrefix = '.removed-';
/** Behind it, where an earlier volume of the name is not gone yet; no volume's name has one. */
const removedSuffix = '~';

function isTextMap(value: unknown): value is Record<string, string> {
  return isRecord(value) && Object.values(value).every((one) => typeof one === 'string');
}

function decodeVolume(name: string, text: string): StoredVolume | undefined {
  const json: unknown = JSON.parse(text);
  if (!isRecord(json) || !isTextMap(json['labels']) || typeof json['createdAt'] !== 'number') return undefined;
  const options = json['options'];
  const { createdAt, labels, anonymous, owner } = json;
  return {
    name, createdAt, labels, options: isTextMap(options) ? options : null, anonymous: anonymous === true,
    owner: typeof owner === 'string' ? owner : '',
  };
}

function makeDirectory(path: string, mode: number): void {
  mkdirSync(path, { recursive: true });
  chmodSync(path, mode);
}

/**
 * Volumes on disk: a row in the state database and a directory `<graph>/volumes/<name>/_data`. A volume exists when its row
 * does. Making: the directory, then the row. Removing: the directory gets another name, then the row goes, then the files.
 * `recover` completes either after a crash.
 */
export class VolumeStore {
  readonly #db: StateDb;
  readonly #root: string;
  readonly #logger: Logger;
  readonly #volumes = new Map<string, StoredVolume>();

  /** `rootOwner`: who has a volume that nobody wrote to yet. */
  constructor(db: StateDb, graphRoot: string, logger: Logger, readonly rootOwner: { uid: number; gid: number }) {
    this.#db = db;
    this.#root = join(graphRoot, 'volumes');
    this.#logger = logger;
    makeDirectory(this.#root, 0o711);
    db.raw.exec('CREATE TABLE IF NOT EXISTS volumes (name TEXT PRIMARY KEY, data TEXT NOT NULL) WITHOUT ROWID');
    for (const row of db.raw.query<{ name: string; data: string }, []>('SELECT name, data FROM volumes').all()) {
      const volume = decodeVolume(row.name, row.data);
      if (volume === undefined) logger.error(`Cannot read volume ${row.name}: its record is damaged`);
      else this.#volumes.set(volume.name, volume);
    }
  }

  get(name: string): StoredVolume | undefined {
    return this.#volumes.get(name);
  }

  all(): StoredVolume[] {
    return [...this.#volumes.values()];
  }

  dataPath(name: string): string {
    return join(this.#root, name, dataDirectory);
  }

  /** True when the directory of a volume that does not exist is taken by something. */
  isTaken(name: string): boolean {
    return existsSync(join(this.#root, name));
  }

  async insert(volume: StoredVolume): Promise<void> {
    const directory = join(this.#root, volume.name);
    mkdirSync(directory, { mode: 0o711 });
    try {
      // Users of containers must get through to the data, whatever the daemon's umask.
      chmodSync(directory, 0o711);
      makeDirectory(join(directory, dataDirectory), 0o755);
      chownSync(join(directory, dataDirectory), this.rootOwner.uid, this.rootOwner.gid);
      fsyncDir(directory);
      fsyncDir(this.#root);
      failPoint('volume.directory');
      const { name, ...data } = volume;
      await this.#db.write((db) => db.query('INSERT INTO volumes (name, data) VALUES (?, ?)').run(name, JSON.stringify(data)));
    } catch (error) {
      await rm(directory, { recursive: true, force: true });
      throw error;
    }
    this.#volumes.set(volume.name, volume);
    failPoint('volume.record');
  }

  /** From now on the volume goes with no container. */
  async disown(name: string): Promise<void> {
    const volume = this.#volumes.get(name);
    if (volume === undefined || volume.owner === '') return;
    const { name: _, ...data } = { ...volume, owner: '' };
    await this.#db.write((db) => db.query('UPDATE volumes SET data = ? WHERE name = ?').run(JSON.stringify(data), name));
    this.#volumes.set(name, { name, ...data });
  }

  /** Makes the volume gone; gives the deletion of its files, which may take long. */
  async remove(name: string): Promise<() => Promise<void>> {
    let doomed = join(this.#root, removedPrefix + name);
    for (let number = 1; existsSync(doomed); number++) doomed = join(this.#root, `${removedPrefix}${name}${removedSuffix}${number}`);
    try {
      renameSync(join(this.#root, name), doomed);
      fsyncDir(this.#root);
    } catch (error) {
      // Someone deleted the directory by hand: the record goes all the same.
      if (errnoOf(error) !== 'ENOENT') throw error;
    }
    failPoint('volume.renamed');
    await this.#forget(name);
    failPoint('volume.forgotten');
    return () => rm(doomed, { recursive: true, force: true });
  }

  async #forget(name: string): Promise<void> {
    await this.#db.write((db) => db.query('DELETE FROM volumes WHERE name = ?').run(name));
    this.#volumes.delete(name);
  }

  /** Start-up: finishes what a crash left half-done. What belongs to no volume and holds data is kept and reported. */
  async recover(): Promise<void> {
    const mountPoints = readMounts().map((entry) => entry.mountPoint);
    for (const entry of readdirSync(this.#root, { withFileTypes: true })) {
      const path = join(this.#root, entry.name);
      try {
        if (entry.name.startsWith(removedPrefix)) await this.#finishRemoval(entry.name, path, mountPoints);
        else if (this.#volumes.has(entry.name)) await rm(join(path, copyDirectory), { recursive: true, force: true });
        else this.#dropEmpty(path);
      } catch (error) {
        this.#logger.warn(`Cannot repair ${path}: ${messageOf(error)}`);
      }
    }
    for (const { name } of this.#volumes.values()) {
      if (existsSync(this.dataPath(name))) continue;
      this.#logger.warn(`The directory of volume ${name} was missing: it is empty now`);
      makeDirectory(join(this.#root, name), 0o711);
      makeDirectory(this.dataPath(name), 0o755);
    }
  }

  async #finishRemoval(entry: string, path: string, mountPoints: readonly string[]): Promise<void> {
    const [name = ''] = entry.slice(removedPrefix.length).split(removedSuffix);
    if (this.#volumes.has(name) && !existsSync(join(this.#root, name))) await this.#forget(name);
    if (mountPoints.some((point) => point.startsWith(`${path}/`))) this.#logger.warn(`Cannot remove ${path}: something is mounted in it`);
    else await rm(path, { recursive: true, force: true });
  }

  /** A directory that was made for a record that never came. */
  #dropEmpty(path: string): void {
    const data = join(path, dataDirectory);
    try {
      if (existsSync(data) && !isVolumeMounted(data)) rmdirSync(data);
      rmdirSync(path);
    } catch (error) {
      this.#logger.warn(`${path} belongs to no volume and is kept: ${messageOf(error)}`);
    }
  }
}
