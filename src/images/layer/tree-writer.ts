import { closeSync, constants } from 'node:fs';
import { EngineError, errnoOf, hostOwner, messageOf, type IdMaps } from '../../base/index.ts';
import {
  getXattr, linkAt, listXattrs, makeDevice, mkdirAt, mknodAt, O_PATH, openat2, rawBytes, removeTreeAt, RESOLVE_BENEATH, RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS, S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, statAt, symlinkAt, unlinkAt,
} from '../../linux/index.ts';
import { applyToFile, applyToName, type Attributes } from './attributes.ts';
import { DirCache } from './dir-cache.ts';
import { LowerDirs } from './lower-dirs.ts';
import { isOverlayXattr, isWhiteout, pathIn, setOpaque } from './overlay-form.ts';
import { joinPath, splitPath } from './paths.ts';
import { shown, type TarEntry } from './tar-format.ts';

export interface TreeWriterOptions {
  /** The directory that nothing may leave. It stays the caller's. */
  rootFd: number;
  /** Raw path below the root that names are relative to; empty: the root. */
  base?: string;
  /** Opens a directory by its raw path below the root, O_PATH; links are followed and stay inside. By default openat2(2) does that. */
  openDir?: (path: string) => number;
  /** Layers below, top first: where directories that the archive does not name take their attributes from. */
  parents?: readonly string[];
  /** Write deletions in overlay's form. */
  overlay?: boolean;
  /** Refuse to replace a directory by something else and the reverse (docker cp). */
  noOverwriteDirNonDir?: boolean;
  /** Gives all that is written this owner. */
  owner?: { uid: number; gid: number };
  /** Owners are ids of a container: these are the host's for them. */
  ids?: IdMaps | undefined;
}

const creation = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const implied: Attributes = { mode: 0o755, uid: 0, gid: 0, mtimeSec: 0, mtimeNsec: 0, xattrs: new Map() };

/**
 * Writes files below a directory and never anywhere else, whatever names and links the archive holds and whatever a container
 * swaps meanwhile. Two rules carry it:
 *   1. the directory that holds a file is opened by openat2(2) with RESOLVE_IN_ROOT: the kernel itself resolves links and `..`
 *      as if the target were /, and gives up when something moves under it;
 *   2. everything that is made, changed or removed is one name (no slash) relative to that descriptor, by calls that do not
 *      follow a link there: O_EXCL|O_NOFOLLOW, mknodat, symlinkat, linkat, unlinkat, fchownat(AT_SYMLINK_NOFOLLOW) …
 * So a hard link's source is looked up in the same way and can be no file outside either.
 */
export class TreeWriter implements Disposable {
  readonly #options: TreeWriterOptions;
  readonly #base: string;
  readonly #dirs = new DirCache();
  readonly #lower: LowerDirs;
  /** Directories whose times are set at the end, because files that are made in them change these. */
  readonly #dirTimes = new Map<string, { attributes: Attributes; ino: bigint }>();

  constructor(options: TreeWriterOptions) {
    this.#options = options;
    this.#base = options.base ?? '';
    this.#lower = new LowerDirs(options.parents ?? []);
  }

  /** Makes an empty file and gives it open for writing; end with `closeFile`. */
  openFile(path: string, mode: number): number {
    return this.#make(path, false, (dirFd, name) => openat2(dirFd, rawBytes(name), creation, RESOLVE_BENEATH, mode & 0o777));
  }

  closeFile(fd: number, entry: TarEntry): void {
    try {
      applyToFile(fd, this.#attributes(entry));
    } finally {
      closeSync(fd);
    }
  }

  /** Makes what has no content. `path` is the cleaned one of `entry.name`, `linkPath` that of a hard link's source. */
  place(entry: TarEntry, path: string, linkPath: string): void {
    if (entry.type === 'dir') return this.#directory(entry, path);
    if (entry.type === 'link') return this.#hardLink(entry, path, linkPath);
    this.#make(path, false, (dirFd, name) => {
      const raw = rawBytes(name);
      switch (entry.type) {
        case 'symlink': return symlinkAt(rawBytes(entry.linkName), dirFd, raw);
        case 'fifo': return mknodAt(dirFd, raw, S_IFIFO | 0o600);
        case 'char': return mknodAt(dirFd, raw, S_IFCHR | 0o600, makeDevice(entry.deviceMajor, entry.deviceMinor));
        case 'block': return mknodAt(dirFd, raw, S_IFBLK | 0o600, makeDevice(entry.deviceMajor, entry.deviceMinor));
        default: throw new EngineError('internal', `Cannot place ${shown(path)}: it is a ${entry.type}`);
      }
    });
    const [parent, name] = splitPath(this.#full(path));
    applyToName(this.#dir(parent), name, this.#attributes(entry));
  }

  /** Hides what the layers below have at a path. */
  whiteout(path: string): void {
    const [parent, name] = splitPath(this.#full(path));
    const dirFd = this.#dir(parent);
    try {
      mknodAt(dirFd, rawBytes(name), S_IFCHR, 0n);
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
      // This layer has such a file itself, and it stays: a whiteout is about the layers below (OCI, "Whiteouts").
      if ((statAt(dirFd, rawBytes(name)).mode & S_IFMT) === S_IFDIR) setOpaque(dirFd, name);
    }
  }

  /** Hides all that the layers below have in a directory. */
  opaque(path: string): void {
    const dirFd = this.#dir(this.#full(path));
    if (path !== '') return setOpaque(dirFd, '');
    // Overlay merges the layers' roots, whatever they say: what is in them is hidden name by name.
    for (const name of this.#lower.list('')) this.whiteout(name);
  }

  /** Sets the times of directories. Call it once all is written. */
  finish(): void {
    for (const [path, { attributes, ino }] of this.#dirTimes) {
      let dirFd: number;
      try {
        dirFd = this.#openDir(path);
      } catch (error) {
        // A later entry took the directory away.
        if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(errnoOf(error) ?? '')) continue;
        throw error;
      }
      try {
        // A later entry may also have put a link in its place, which leads to another one.
        if (statAt(dirFd, '').ino === ino) applyToName(dirFd, '', attributes);
      } finally {
        closeSync(dirFd);
      }
    }
    this.#dirTimes.clear();
  }

  [Symbol.dispose](): void {
    this.#dirs.clear();
    this.#lower[Symbol.dispose]();
  }

  #directory(entry: TarEntry, path: string): void {
    const full = this.#full(path);
    if (path !== '') {
      this.#make(path, true, (dirFd, name) => mkdirAt(dirFd, rawBytes(name), 0o700));
    } else {
      this.#dir(full);
      // The target directory itself is described by a layer, and is only a place for other archives.
      if (!this.#options.overlay) return;
    }
    this.#keepAttributes(full, this.#attributes(entry));
  }

  #hardLink(entry: TarEntry, path: string, linkPath: string): void {
    if (path === linkPath) return;
    const [sourceParent, source] = splitPath(this.#full(linkPath));
    let sourceFd: number | undefined;
    try {
      sourceFd = this.#openDir(sourceParent);
      const from = sourceFd;
      // Looked at first: making room for the link must not take away what stays.
      statAt(from, rawBytes(source));
      this.#make(path, false, (dirFd, name) => linkAt(from, rawBytes(source), dirFd, rawBytes(name)));
    } catch (error) {
      if (error instanceof EngineError) throw error;
      const why = errnoOf(error) === 'ENOENT' ? 'its target does not exist in the archive' : messageOf(error);
      throw new EngineError('invalidArgument', `Cannot unpack hard link ${shown(entry.name)} to ${shown(entry.linkName)}: ${why}`, { cause: error });
    } finally {
      if (sourceFd !== undefined) closeSync(sourceFd);
    }
  }

  /** Runs `make` on the directory and the name; what is there already gives way first, except a directory to a directory. */
  #make<T>(path: string, isDir: boolean, make: (dirFd: number, name: string) => T): T | undefined;
  #make(path: string, isDir: false, make: (dirFd: number, name: string) => number): number;
  #make<T>(path: string, isDir: boolean, make: (dirFd: number, name: string) => T): T | undefined {
    const [parent, name] = splitPath(this.#full(path));
    if (path === '') throw new EngineError('invalidArgument', `Cannot unpack ${shown(path)}: it would replace the target directory`);
    for (let tries = 0; ; tries++) {
      try {
        return make(this.#dir(parent), name);
      } catch (error) {
        const code = errnoOf(error);
        if (tries >= 2) throw error;
        // The cached directory was removed: its path is looked up, and made, again.
        if (code === 'ENOENT') this.#dirs.clear();
        else if (code !== 'EEXIST') throw error;
        else if (this.#giveWay(this.#dir(parent), name, isDir) === 'stays') return undefined;
        else if (isDir && this.#options.overlay) {
          // What this directory replaces hid the layers below; merged with them now, it would show them again.
          make(this.#dir(parent), name);
          setOpaque(this.#dir(parent), name);
          return undefined;
        }
      }
    }
  }

  #giveWay(dirFd: number, name: string, toDir: boolean): 'stays' | 'gone' {
    const type = statAt(dirFd, rawBytes(name)).mode & S_IFMT;
    if (type === S_IFDIR && toDir) return 'stays';
    if (this.#options.noOverwriteDirNonDir && (type === S_IFDIR || toDir)) {
      const what = toDir ? 'cannot overwrite non-directory' : 'cannot overwrite directory';
      throw new EngineError('invalidArgument', `${what} ${shown(name)} with ${toDir ? 'directory' : 'non-directory'}`);
    }
    if (type === S_IFDIR) removeTreeAt(dirFd, name);
    else unlinkAt(dirFd, rawBytes(name));
    if (type === S_IFDIR || type === S_IFLNK) this.#dirs.clear();
    return 'gone';
  }

  #full(path: string): string {
    return joinPath(this.#base, path);
  }

  #attributes(entry: Attributes): Attributes {
    const { owner, ids } = this.#options;
    const owned = owner ? { ...entry, ...owner } : entry;
    return ids ? { ...owned, ...hostOwner(ids, owned) } : owned;
  }

  #openDir(path: string): number {
    if (this.#options.openDir) return this.#options.openDir(path);
    return openat2(this.#options.rootFd, path === '' ? '.' : rawBytes(path), O_PATH | constants.O_DIRECTORY, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
  }

  /** The directory at a path below the root, made when it is not there. Valid until the next call. */
  #dir(path: string): number {
    const cached = this.#dirs.get(path);
    if (cached !== undefined) return cached;
    let fd: number;
    try {
      fd = this.#openDir(path);
    } catch (error) {
      const code = errnoOf(error);
      if (path === '' || (code !== 'ENOENT' && code !== 'ENOTDIR')) throw error;
      this.#implyDir(path);
      fd = this.#openDir(path);
    }
    this.#dirs.add(path, fd);
    return fd;
  }

  /** Makes a directory that the archive uses without naming it. */
  #implyDir(path: string): void {
    const [parent, name] = splitPath(path);
    const dirFd = this.#dir(parent);
    let replaces = false;
    try {
      mkdirAt(dirFd, rawBytes(name), 0o700);
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
      if (!this.#options.overlay || !isWhiteout(statAt(dirFd, rawBytes(name)))) {
        throw new EngineError('invalidArgument', `Cannot unpack into ${shown(path)}: it is not a directory`, { cause: error });
      }
      unlinkAt(dirFd, rawBytes(name));
      mkdirAt(dirFd, rawBytes(name), 0o700);
      replaces = true;
    }
    if (replaces) setOpaque(dirFd, name);
    const below = replaces ? undefined : this.#lower.withTop(path, (fd, stat) => ({ ...stat, mode: stat.mode & 0o7777, xattrs: xattrsOf(fd) }));
    const now = Math.floor(Date.now() / 1000);
    this.#keepAttributes(path, below ?? this.#attributes({ ...implied, mtimeSec: now }));
  }

  /** Sets a directory's attributes: at the end, when they are no longer changed by what is made in it, and in a live tree now too. */
  #keepAttributes(path: string, attributes: Attributes): void {
    const dirFd = this.#dir(path);
    if (!this.#options.overlay) applyToName(dirFd, '', attributes);
    this.#dirTimes.set(path, { attributes, ino: statAt(dirFd, '').ino });
  }
}

/** A directory's extended attributes, without those by which overlay steers itself. */
function xattrsOf(fd: number): Map<string, Buffer> {
  const xattrs = new Map<string, Buffer>();
  const path = pathIn(fd, '');
  for (const name of listXattrs(path)) {
    const value = isOverlayXattr(name) ? undefined : getXattr(path, name);
    if (value) xattrs.set(name, value);
  }
  return xattrs;
}
