import { closeSync, constants, openSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import { errnoOf } from '../base/index.ts';
import {
  AT_FDCWD, chmodAt, chownAt, getXattr, linkAt, listXattrs, makeDevice, mkdirAt, mknodAt, O_PATH, openat2, rawBytes, readlinkAt, RESOLVE_BENEATH,
  RESOLVE_NO_SYMLINKS, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG, setXattr, symlinkAt, utimesAt, walkTree, type FileStat,
} from '../linux/index.ts';

/** So many entries are copied before others get a turn. */
const entriesPerTurn = 100;

const scoped = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
const here = Buffer.from('.');

/**
 * Calls `use` with the directory that a path of the copy is in and the name there. The copy may be the data of a volume that a running
 * container writes to, so no link on the way is followed, whatever is swapped meanwhile.
 */
function inCopy<T>(rootFd: number, path: Buffer, use: (dirFd: number, name: Buffer) => T): T {
  if (path.length === 0) return use(rootFd, here);
  const slash = path.lastIndexOf('/');
  if (slash < 0) return use(rootFd, path);
  const parent = openat2(rootFd, path.subarray(0, slash), O_PATH | constants.O_DIRECTORY, scoped);
  try {
    return use(parent, path.subarray(slash + 1));
  } finally {
    closeSync(parent);
  }
}

/** chmod of what has the name and is no link. */
function chmodScoped(dirFd: number, name: Buffer, mode: number): void {
  const held = openat2(dirFd, name, O_PATH | constants.O_NOFOLLOW, scoped);
  try {
    chmodAt(AT_FDCWD, `/proc/self/fd/${held}`, mode);
  } finally {
    closeSync(held);
  }
}

/** A raw path below a directory descriptor, as a path of its own. */
function pathAt(dirFd: number, name: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`/proc/self/fd/${dirFd}/`), name]);
}

function copyXattrs(from: Buffer, to: Buffer): void {
  for (const name of listXattrs(from)) {
    const value = getXattr(from, name);
    if (value === undefined) continue;
    try {
      setXattr(to, name, value);
    } catch (error) {
      // The volume's file system may know fewer kinds of attributes.
      const code = errnoOf(error);
      if (code !== 'EOPNOTSUPP' && code !== 'ENOTSUP') throw error;
    }
  }
}

/** Owner, attributes, mode and times, in the order in which one does not undo the other. */
function copyMetadata(dirFd: number, name: Buffer, toFd: number, to: Buffer, stat: FileStat): void {
  chownAt(toFd, to, stat.uid, stat.gid);
  if ((stat.mode & S_IFMT) !== S_IFLNK) chmodScoped(toFd, to, stat.mode & 0o7777);
  copyXattrs(pathAt(dirFd, name.length === 0 ? here : name), pathAt(toFd, to));
  utimesAt(toFd, to, stat.mtimeSec, stat.mtimeNsec);
}

async function copyRegular(dirFd: number, name: Buffer, toFd: number, to: Buffer): Promise<void> {
  const source = openat2(dirFd, name, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK, scoped);
  try {
    const target = openat2(toFd, to, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, scoped, 0o600);
    try {
      await copyFile(`/proc/self/fd/${source}`, `/proc/self/fd/${target}`);
    } finally {
      closeSync(target);
    }
  } finally {
    closeSync(source);
  }
}

/**
 * Copies a directory's content, and the owner, mode, attributes and times of the directory itself, into an empty one. Hard
 * links stay links among the copies, devices and pipes are made anew. No link is followed on either side.
 */
export async function copyTree(sourceFd: number, target: string): Promise<void> {
  const toFd = openSync(target, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  const linked = new Map<string, Buffer>();
  const directories: { path: string; stat: FileStat }[] = [];
  let seen = 0;
  try {
    for (const { path, dirFd, name, stat } of walkTree(sourceFd)) {
      if (++seen % entriesPerTurn === 0) await setImmediate();
      const to = rawBytes(path);
      const from = rawBytes(name);
      const type = stat.mode & S_IFMT;
      if (type === S_IFDIR) {
        inCopy(toFd, to, (parent, own) => {
          if (path !== '') mkdirAt(parent, own, 0o700);
          copyMetadata(dirFd, from, parent, own, stat);
        });
        directories.push({ path, stat });
        continue;
      }
      const inode = `${stat.dev}:${stat.ino}`;
      const first = stat.nlink > 1 ? linked.get(inode) : undefined;
      if (first !== undefined) {
        inCopy(toFd, first, (firstParent, firstName) => inCopy(toFd, to, (parent, own) => linkAt(firstParent, firstName, parent, own)));
        continue;
      }
      if (stat.nlink > 1) linked.set(inode, to);
      if (type === S_IFREG) await copyRegular(dirFd, from, toFd, to);
      inCopy(toFd, to, (parent, own) => {
        if (type === S_IFLNK) symlinkAt(readlinkAt(dirFd, from), parent, own);
        else if (type !== S_IFREG) mknodAt(parent, own, stat.mode & (S_IFMT | 0o7777), makeDevice(stat.rdevMajor, stat.rdevMinor));
        copyMetadata(dirFd, from, parent, own, stat);
      });
    }
    // Filling a directory changed its time.
    for (const { path, stat } of directories.reverse()) {
      inCopy(toFd, rawBytes(path), (parent, own) => utimesAt(parent, own, stat.mtimeSec, stat.mtimeNsec));
    }
  } finally {
    closeSync(toFd);
  }
}
