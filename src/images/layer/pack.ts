import { closeSync, constants, openSync, read, readSync } from 'node:fs';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { containerOwner, errnoOf, type IdMaps } from '../../base/index.ts';
import {
  getXattr, listXattrs, O_PATH, openRegularAt, rawBytes, readlinkAt, RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS, S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO,
  S_IFLNK, S_IFMT, S_IFREG, statAt, walkTree, type FileStat, type WalkEntry,
} from '../../linux/index.ts';
import { isOpaque, isOverlayXattr, isWhiteout, opaqueMark, pathIn, whiteoutPrefix } from './overlay-form.ts';
import { joinPath, splitPath } from './paths.ts';
import { paddingOf, type TarEntry, type TarType } from './tar-format.ts';
import { tarEnd, tarHeader } from './tar-writer.ts';

export interface PackOptions {
  /** `oci-layer`: overlay's deletions become `.wh.` entries. `plain`: files as they are. */
  form: 'oci-layer' | 'plain';
  /** Paths that are left out. */
  hidden?: ReadonlySet<string>;
  /** The files' owners on the host are a container's by these: the tar has the container's. */
  ids?: IdMaps | undefined;
  signal: AbortSignal;
}

/** Output goes out in pieces of about this size. */
const pieceBytes = 256 * 1024;
const readAsync = promisify(read);

const types = new Map<number, TarType>([
  [S_IFREG, 'file'], [S_IFLNK, 'symlink'], [S_IFCHR, 'char'], [S_IFBLK, 'block'], [S_IFDIR, 'dir'], [S_IFIFO, 'fifo'],
]);

/**
 * A tar of the files below a directory, in an order that depends on their names alone, so that the same files give the same
 * bytes. Nothing outside is ever read. A file that changes its size meanwhile has the size that it had at its header: cut, or
 * filled with zeros. Sockets are left out, as tar has no form for them.
 */
export function packLayer(directory: string, options: PackOptions): Readable {
  return readable(() => {
    const rootFd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
    return pack(rootFd, { ...options, rename: (path) => path });
  });
}

/** A tar of a whole root file system (docker export). */
export function packTree(root: string, ids: IdMaps | undefined, signal: AbortSignal): Readable {
  return packLayer(root, { form: 'plain', ids, signal });
}

/** What `packFrom` packs: a directory with all that is in it, or one file of it. */
export interface PackSource {
  /** An open directory. It is closed at the end. */
  dirFd: number;
  /** One name in it, or undefined for the directory itself. */
  name: string | undefined;
  /** What the packed entry is called in the tar, raw; what is below it follows. */
  as: string;
  /** What is shown at places below the directory instead of what is there: raw paths, and where on the host it is. */
  mounts: readonly { path: string; source: string }[];
  /** As in PackOptions. */
  ids?: IdMaps | undefined;
  signal: AbortSignal;
}

/** A tar of one file or directory (docker cp). */
export function packFrom(source: PackSource): Readable {
  const { dirFd, name, as, mounts, ids, signal } = source;
  return readable(() => {
    if (name === undefined) return pack(dirFd, { form: 'plain', ids, signal, rename: (path) => joinPath(as, path), withRoot: true, mounts });
    return packOne(dirFd, name, as, ids, signal);
  });
}

interface PackRun extends PackOptions {
  rename: (path: string) => string;
  /** Start with an entry for the directory itself. */
  withRoot?: boolean;
  mounts?: PackSource['mounts'];
}

function readable(start: () => AsyncGenerator<Buffer>): Readable {
  return Readable.from((async function* () {
    yield* start();
  })(), { objectMode: false, highWaterMark: pieceBytes });
}

async function* pack(rootFd: number, run: PackRun): AsyncGenerator<Buffer> {
  try {
    const packer = new Packer(run.signal, run.ids);
    yield* packInto(packer, rootFd, run);
    for (const { path, source } of run.mounts ?? []) yield* packMount(packer, path, source, run);
    yield* packer.end();
  } finally {
    closeSync(rootFd);
  }
}

async function* packInto(packer: Packer, rootFd: number, run: PackRun): AsyncGenerator<Buffer> {
  const hidden = new Set([...(run.mounts?.map(({ path }) => path) ?? []), ...(run.hidden ?? [])]);
  for (const entry of walkTree(rootFd, (path) => path === '' || !hidden.has(path))) {
    if (hidden.has(entry.path) && entry.path !== '') continue;
    if (entry.path !== '' || run.withRoot) yield* packer.add(entry, run.rename(entry.path), run.form === 'oci-layer');
    if (run.form === 'oci-layer' && entry.name === '' && entry.path !== '' && isOpaque(entry.dirFd)) {
      yield* packer.marker(joinPath(run.rename(entry.path), opaqueMark), entry.stat);
    }
  }
}

/** What a volume shows, with the volumes below it left to their own turn. */
async function* packMount(packer: Packer, path: string, source: string, run: PackRun): AsyncGenerator<Buffer> {
  const fd = openSync(source, O_PATH);
  try {
    const stat = statAt(fd, '');
    if ((stat.mode & S_IFMT) !== S_IFDIR) {
      const [parent, name] = splitPath(Buffer.from(source).toString('latin1'));
      const dirFd = openSync(rawBytes(parent || '/'), constants.O_RDONLY | constants.O_DIRECTORY);
      try {
        yield* packer.add({ path, dirFd, name, stat }, run.rename(path), false);
      } finally {
        closeSync(dirFd);
      }
      return;
    }
    const below = (run.mounts ?? []).filter((each) => each.path.startsWith(`${path}/`));
    const mounts = below.map((each) => ({ path: each.path.slice(path.length + 1), source: each.source }));
    yield* packInto(packer, fd, { ...run, mounts, withRoot: true, rename: (each) => run.rename(joinPath(path, each)) });
  } finally {
    closeSync(fd);
  }
}

async function* packOne(dirFd: number, name: string, as: string, ids: IdMaps | undefined, signal: AbortSignal): AsyncGenerator<Buffer> {
  try {
    const packer = new Packer(signal, ids);
    yield* packer.add({ path: name, dirFd, name, stat: statAt(dirFd, rawBytes(name)) }, as, false);
    yield* packer.end();
  } finally {
    closeSync(dirFd);
  }
}

/** Gathers headers and small files into pieces, and remembers which inode was packed under which name. */
class Packer {
  readonly #linked = new Map<string, string>();
  #parts: Buffer[] = [];
  #gathered = 0;

  constructor(private readonly signal: AbortSignal, private readonly ids: IdMaps | undefined) {}

  async *add(entry: WalkEntry, name: string, oci: boolean): AsyncGenerator<Buffer> {
    this.signal.throwIfAborted();
    const { stat, dirFd } = entry;
    const type = types.get(stat.mode & S_IFMT);
    if (type === undefined) return;
    if (oci && isWhiteout(stat)) {
      const [parent, base] = [name.slice(0, Math.max(0, name.lastIndexOf('/'))), name.slice(name.lastIndexOf('/') + 1)];
      yield* this.marker(joinPath(parent, `${whiteoutPrefix}${base}`), stat);
      return;
    }
    const header = headerOf(entry, type, name, this.ids);
    if (type !== 'dir' && stat.nlink > 1) {
      const inode = `${stat.dev}:${stat.ino}`;
      const first = this.#linked.get(inode);
      if (first !== undefined) {
        yield* this.#emit(tarHeader({ ...header, type: 'link', linkName: first, size: 0 }));
        return;
      }
      this.#linked.set(inode, name);
    }
    if (type === 'file') {
      yield* this.#file(entry, header);
      return;
    }
    try {
      if (type === 'symlink') header.linkName = readlinkAt(dirFd, rawBytes(entry.name)).toString('latin1');
    } catch (error) {
      if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'EINVAL') return;
      throw error;
    }
    yield* this.#emit(tarHeader(header));
  }

  /** An empty file whose name says what is gone. */
  async *marker(name: string, stat: FileStat): AsyncGenerator<Buffer> {
    yield* this.#emit(tarHeader({ ...emptyFile, name, mtimeSec: stat.mtimeSec }));
  }

  async *end(): AsyncGenerator<Buffer> {
    this.#parts.push(tarEnd);
    yield* this.#flush();
  }

  async *#file(entry: WalkEntry, header: TarEntry): AsyncGenerator<Buffer> {
    let opened: ReturnType<typeof openRegularAt>;
    try {
      opened = openRegularAt(entry.dirFd, rawBytes(entry.name), RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
    } catch (error) {
      if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ELOOP') return;
      throw error;
    }
    if (!opened) return;
    const { fd } = opened;
    try {
      yield* this.#emit(tarHeader(header));
      let left = header.size;
      while (left > 0) {
        const piece = Buffer.allocUnsafe(Math.min(left, pieceBytes));
        const length = piece.length < pieceBytes
          ? readSync(fd, piece, 0, piece.length, null)
          : (await readAsync(fd, piece, 0, piece.length, null)).bytesRead;
        if (length === 0) piece.fill(0);
        const part = length === 0 ? piece : piece.subarray(0, length);
        left -= part.length;
        yield* this.#emit(part);
        this.signal.throwIfAborted();
      }
      yield* this.#emit(Buffer.alloc(paddingOf(header.size)));
    } finally {
      closeSync(fd);
    }
  }

  *#emit(part: Buffer): Generator<Buffer> {
    if (part.length === 0) return;
    this.#parts.push(part);
    this.#gathered += part.length;
    if (this.#gathered >= pieceBytes) yield* this.#flush();
  }

  *#flush(): Generator<Buffer> {
    const [only] = this.#parts;
    const piece = this.#parts.length === 1 && only ? only : Buffer.concat(this.#parts);
    this.#parts = [];
    this.#gathered = 0;
    yield piece;
  }
}

const emptyFile: TarEntry = {
  type: 'file', name: '', linkName: '', mode: 0o600, uid: 0, gid: 0, size: 0, mtimeSec: 0, mtimeNsec: 0, deviceMajor: 0, deviceMinor: 0,
  xattrs: new Map(),
};

function headerOf({ stat, dirFd, name: fileName }: WalkEntry, type: TarType, name: string, ids: IdMaps | undefined): TarEntry {
  const isDevice = type === 'char' || type === 'block';
  const { uid, gid } = ids ? containerOwner(ids, stat) : stat;
  return {
    type, name, linkName: '', mode: stat.mode & 0o7777, uid, gid, size: type === 'file' ? stat.size : 0,
    mtimeSec: stat.mtimeSec, mtimeNsec: 0, deviceMajor: isDevice ? stat.rdevMajor : 0, deviceMinor: isDevice ? stat.rdevMinor : 0,
    xattrs: xattrsIn(dirFd, fileName),
  };
}

const noXattrs: ReadonlyMap<string, Buffer> = new Map();

/** Capabilities and users' attributes, as docker packs them: labels of the host's security modules stay with the host. */
function xattrsIn(dirFd: number, name: string): ReadonlyMap<string, Buffer> {
  const path = pathIn(dirFd, name);
  let xattrs: Map<string, Buffer> | undefined;
  try {
    for (const key of listXattrs(path)) {
      if (isOverlayXattr(key) || !(key === 'security.capability' || key.startsWith('user.') || key.startsWith('trusted.'))) continue;
      const value = getXattr(path, key);
      if (value) (xattrs ??= new Map()).set(key, value);
    }
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
  return xattrs ?? noXattrs;
}
