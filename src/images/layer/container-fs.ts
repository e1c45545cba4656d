import { constants, openSync } from 'node:fs';
import { posix } from 'node:path';
import type { Readable } from 'node:stream';
import { EngineError, errnoOf, type IdMaps } from '../../base/index.ts';
import { openat2, rawBytes, readlinkAt, RESOLVE_BENEATH, S_IFDIR, S_IFLNK, S_IFMT } from '../../linux/index.ts';
import { unpackTar } from './extract.ts';
import { packFrom } from './pack.ts';
import { splitPath } from './paths.ts';
import { fileTime, goFileMode, type PathStat } from './path-stat.ts';
import { leadsNowhere, rawPath, RootPaths, type ResolvedPath, type RootMount } from './root-path.ts';
import { TreeWriter } from './tree-writer.ts';

export interface ContainerFsOptions {
  /** The mounted root file system. */
  root: string;
  /** Volumes and bind mounts. */
  mounts: readonly RootMount[];
  /** `--read-only`. */
  readOnly: boolean;
  /** The container's name or id, for messages. */
  container: string;
  /** The daemon remaps users: owners in archives are the container's. */
  ids?: IdMaps | undefined;
}

export interface PutOptions {
  /** Refuse to replace a directory by something else, and the reverse. */
  noOverwriteDirNonDir: boolean;
  /** Gives the files this owner instead of the archive's. */
  owner?: { uid: number; gid: number };
}

/** What `docker cp` may put into a container. */
const putLimits = { bytesMax: 1024 ** 4, entriesMax: 10_000_000 };

/**
 * The files of a container, which may run, and change them with evil intent, meanwhile. Nothing outside of its root and its
 * volumes is read or written (see RootPaths and TreeWriter). The rules of paths are docker's: a trailing `/` or `/.` follows a link and
 * wants a directory; else the last name is not followed.
 */
export class ContainerFs {
  readonly #paths: RootPaths;

  constructor(private readonly options: ContainerFsOptions) {
    this.#paths = new RootPaths(options.root, options.mounts, options.readOnly);
  }

  /** @throws EngineError notFound. */
  stat(path: string): PathStat {
    using found = this.#find(path);
    return this.#statOf(path, found);
  }

  /** A tar of a file or directory, named by the last part of `path`; with a trailing `/.` the directory's content is named `./…`. */
  get(path: string, signal: AbortSignal): { stat: PathStat; tar: Readable } {
    using found = this.#find(path);
    const { ids } = this.options;
    const stat = this.#statOf(path, found);
    const as = stat.name === '/' ? '.' : rawPath(stat.name);
    if ((found.stat.mode & S_IFMT) === S_IFDIR) {
      const dirFd = openat2(found.fd, '.', constants.O_RDONLY | constants.O_DIRECTORY, RESOLVE_BENEATH);
      return { stat, tar: packFrom({ dirFd, name: undefined, as, mounts: this.#paths.mountsBelow(found.path), ids, signal }) };
    }
    const [parent, name] = splitPath(found.path);
    const mount = this.options.mounts.find((each) => rawPath(each.destination) === found.path);
    if (mount) {
      const [sourceParent, sourceName] = splitPath(Buffer.from(mount.source).toString('latin1'));
      const dirFd = openSync(rawBytes(sourceParent || '/'), constants.O_RDONLY | constants.O_DIRECTORY);
      return { stat, tar: packFrom({ dirFd, name: sourceName, as, mounts: [], ids, signal }) };
    }
    return { stat, tar: packFrom({ dirFd: this.#paths.resolve(parent, true).fd, name, as, mounts: [], ids, signal }) };
  }

  /** Unpacks a tar into a directory of the container. @throws EngineError notFound, invalidArgument, forbidden, tooLarge. */
  async put(path: string, tar: AsyncIterable<Uint8Array>, { noOverwriteDirNonDir, owner }: PutOptions, signal: AbortSignal): Promise<void> {
    using target = this.#find(`${path}/.`, path);
    if (target.readOnly) {
      const isVolume = this.options.mounts.some(({ destination }) => `${target.path}/`.startsWith(`${rawPath(destination)}/`));
      throw new EngineError('forbidden', isVolume ? 'mounted volume is marked read-only' : 'container rootfs is marked read-only');
    }
    using writer = new TreeWriter({
      rootFd: target.fd, base: target.path, openDir: (each) => this.#paths.openDir(each), noOverwriteDirNonDir, ids: this.options.ids,
      ...(owner ? { owner } : {}),
    });
    await unpackTar(tar, writer, { limits: putLimits, form: 'rootfs', signal });
  }

  #find(path: string, shown = path): ResolvedPath {
    const raw = Buffer.from(path).toString('latin1');
    const wantsDirectory = /(?:^|\/)\.?$/.test(raw);
    let found: ResolvedPath;
    try {
      found = this.#paths.resolve(raw, wantsDirectory);
    } catch (error) {
      if (!leadsNowhere(error)) throw error;
      const code = errnoOf(error);
      const why = code === 'ENOENT' ? '' : code === 'ENOTDIR' ? ': not a directory' : ': the path does not end';
      throw new EngineError('notFound', `Could not find the file ${shown} in container ${this.options.container}${why}`, { cause: error });
    }
    if (wantsDirectory && (found.stat.mode & S_IFMT) !== S_IFDIR) {
      found[Symbol.dispose]();
      throw new EngineError('invalidArgument', 'extraction point is not a directory');
    }
    return found;
  }

  #statOf(path: string, { stat }: ResolvedPath): PathStat {
    return {
      name: lastName(path),
      size: stat.size,
      mode: goFileMode(stat.mode),
      mtime: fileTime(stat),
      linkTarget: (stat.mode & S_IFMT) === S_IFLNK ? this.#target(path) : '',
    };
  }

  /** Where a link leads in the container; of one that leads nowhere, what its own text says. */
  #target(path: string): string {
    const raw = Buffer.from(path).toString('latin1');
    try {
      using found = this.#paths.resolve(raw, true);
      return shownPath(found.path);
    } catch (error) {
      if (!leadsNowhere(error)) throw error;
    }
    using link = this.#paths.resolve(raw, false);
    return shownPath(posix.resolve('/', splitPath(link.path)[0], readlinkAt(link.fd, '').toString('latin1')).slice(1));
  }
}

function shownPath(raw: string): string {
  return `/${Buffer.from(raw, 'latin1').toString()}`;
}

/** Go's filepath.Base, which keeps the `.` of a trailing `/.`. */
function lastName(path: string): string {
  const trimmed = path.replace(/\/+$/, '');
  return trimmed === '' ? '/' : trimmed.slice(trimmed.lastIndexOf('/') + 1);
}
