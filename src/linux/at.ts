import { FFIType } from 'bun:ffi';
import { check, cString, openLibc, type PathArg } from './libc.ts';
import { AT_EMPTY_PATH, AT_REMOVEDIR, AT_SYMLINK_NOFOLLOW } from './statx.ts';

const libc = openLibc({
  mkdirat: { args: ['i32', 'ptr', 'u32'], returns: 'i32' },
  mknodat: { args: ['i32', 'ptr', 'u32', 'u64'], returns: 'i32' },
  unlinkat: { args: ['i32', 'ptr', 'i32'], returns: 'i32' },
  linkat: { args: ['i32', 'ptr', 'i32', 'ptr', 'i32'], returns: 'i32' },
  symlinkat: { args: ['ptr', 'i32', 'ptr'], returns: 'i32' },
  readlinkat: { args: ['i32', 'ptr', 'ptr', 'u64'], returns: FFIType.i64_fast },
  fchownat: { args: ['i32', 'ptr', 'u32', 'u32', 'i32'], returns: 'i32' },
  fchmod: { args: ['i32', 'u32'], returns: 'i32' },
  fchmodat: { args: ['i32', 'ptr', 'u32', 'i32'], returns: 'i32' },
  utimensat: { args: ['i32', 'ptr', 'ptr', 'i32'], returns: 'i32' },
  futimens: { args: ['i32', 'ptr'], returns: 'i32' },
  ftruncate: { args: ['i32', 'i64'], returns: 'i32' },
});

const linkTargetLimitBytes = 4096;

/** The mode is still cut by the umask. */
export function mkdirAt(dirFd: number, name: PathArg, mode: number): void {
  check(libc.mkdirat(dirFd, cString(name), mode), 'mkdir', name);
}

/** A dev_t as the C library packs it. */
export function makeDevice(major: number, minor: number): bigint {
  const [a, b] = [BigInt(major), BigInt(minor)];
  return ((a & 0xfffff000n) << 32n) | ((a & 0xfffn) << 8n) | ((b & 0xffffff00n) << 12n) | (b & 0xffn);
}

/** `mode` with its type bits (S_IFIFO, S_IFCHR …). */
export function mknodAt(dirFd: number, name: PathArg, mode: number, device = 0n): void {
  check(libc.mknodat(dirFd, cString(name), mode, device), 'mknod', name);
}

export function unlinkAt(dirFd: number, name: PathArg): void {
  check(libc.unlinkat(dirFd, cString(name), 0), 'unlink', name);
}

export function rmdirAt(dirFd: number, name: PathArg): void {
  check(libc.unlinkat(dirFd, cString(name), AT_REMOVEDIR), 'rmdir', name);
}

/** A hard link; a symbolic link is linked itself, not what it points to. */
export function linkAt(fromFd: number, from: PathArg, toFd: number, to: PathArg): void {
  check(libc.linkat(fromFd, cString(from), toFd, cString(to), 0), 'link', to);
}

export function symlinkAt(target: PathArg, dirFd: number, name: PathArg): void {
  check(libc.symlinkat(cString(target), dirFd, cString(name)), 'symlink', name);
}

/** The bytes of a link's target. */
export function readlinkAt(dirFd: number, name: PathArg): Buffer {
  const buffer = Buffer.alloc(linkTargetLimitBytes);
  return buffer.subarray(0, check(libc.readlinkat(dirFd, cString(name), buffer, buffer.length), 'readlink', name));
}

/** Never follows a link; the empty name stands for `dirFd` itself. */
export function chownAt(dirFd: number, name: PathArg, uid: number, gid: number): void {
  check(libc.fchownat(dirFd, cString(name), uid, gid, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH), 'chown', name);
}

export function chmodFd(fd: number, mode: number): void {
  check(libc.fchmod(fd, mode), 'chmod');
}

/** FOLLOWS a link (kernels before 6.6 cannot do otherwise): only for a name that is known not to be one. */
export function chmodAt(dirFd: number, name: PathArg, mode: number): void {
  check(libc.fchmodat(dirFd, cString(name), mode, 0), 'chmod', name);
}

/** Sets access and modification time, both to seconds and nanoseconds given; never follows a link. */
export function utimesAt(dirFd: number, name: PathArg, sec: number, nsec: number): void {
  check(libc.utimensat(dirFd, cString(name), timesOf(sec, nsec), AT_SYMLINK_NOFOLLOW), 'utimensat', name);
}

/** `utimesAt` of an open file (not one opened with O_PATH). */
export function utimesFd(fd: number, sec: number, nsec: number): void {
  check(libc.futimens(fd, timesOf(sec, nsec)), 'futimens');
}

function timesOf(sec: number, nsec: number): BigInt64Array {
  return new BigInt64Array([BigInt(sec), BigInt(nsec), BigInt(sec), BigInt(nsec)]);
}

export function truncateFd(fd: number, size: number): void {
  check(libc.ftruncate(fd, size), 'ftruncate');
}
