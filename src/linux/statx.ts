import { check, cString, openLibc, type PathArg } from './libc.ts';

/** Of the *at calls. */
export const AT_SYMLINK_NOFOLLOW = 0x100;
export const AT_REMOVEDIR = 0x200;
export const AT_EMPTY_PATH = 0x1000;

/** The type bits of a mode. */
export const S_IFMT = 0o170000;
export const S_IFSOCK = 0o140000;
export const S_IFLNK = 0o120000;
export const S_IFREG = 0o100000;
export const S_IFBLK = 0o060000;
export const S_IFDIR = 0o040000;
export const S_IFCHR = 0o020000;
export const S_IFIFO = 0o010000;

const STATX_BASIC_STATS = 0x7ff;
const statxBytes = 256;

const libc = openLibc({ statx: { args: ['i32', 'ptr', 'i32', 'u32', 'ptr'], returns: 'i32' } });

export interface FileStat {
  mode: number;
  uid: number;
  gid: number;
  nlink: number;
  ino: bigint;
  /** Major and minor of the file system, as one number that is only good for comparing. */
  dev: bigint;
  size: number;
  /** 512-byte blocks in use. */
  blocks: number;
  mtimeSec: number;
  mtimeNsec: number;
  atimeSec: number;
  atimeNsec: number;
  rdevMajor: number;
  rdevMinor: number;
}

/** lstat of a name relative to a directory fd, or of the fd itself for the empty name. Links are never followed. */
export function statAt(dirFd: number, name: PathArg): FileStat {
  const buffer = Buffer.alloc(statxBytes);
  check(libc.statx(dirFd, cString(name), AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, STATX_BASIC_STATS, buffer), 'statx', name);
  // struct statx is the same on all architectures (linux/stat.h); all of them that run here are little-endian.
  return {
    nlink: buffer.readUInt32LE(16),
    uid: buffer.readUInt32LE(20),
    gid: buffer.readUInt32LE(24),
    mode: buffer.readUInt16LE(28),
    ino: buffer.readBigUInt64LE(32),
    size: Number(buffer.readBigUInt64LE(40)),
    blocks: Number(buffer.readBigUInt64LE(48)),
    atimeSec: Number(buffer.readBigInt64LE(64)),
    atimeNsec: buffer.readUInt32LE(72),
    mtimeSec: Number(buffer.readBigInt64LE(112)),
    mtimeNsec: buffer.readUInt32LE(120),
    rdevMajor: buffer.readUInt32LE(128),
    rdevMinor: buffer.readUInt32LE(132),
    dev: (BigInt(buffer.readUInt32LE(136)) << 32n) | BigInt(buffer.readUInt32LE(140)),
  };
}
