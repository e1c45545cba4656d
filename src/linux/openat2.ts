import { FFIType } from 'bun:ffi';
import { constants } from 'node:os';
import { cString, errno, openLibc, pathText, SyscallError, type PathArg } from './libc.ts';

const SYS_openat2 = 437;

/** openat2(2) resolve flags. */
export const RESOLVE_NO_XDEV = 0x01;
export const RESOLVE_NO_MAGICLINKS = 0x02;
export const RESOLVE_NO_SYMLINKS = 0x04;
export const RESOLVE_BENEATH = 0x08;
export const RESOLVE_IN_ROOT = 0x10;

/** Of open(2): the two that node does not name. */
export const O_PATH = 0o10000000;
export const O_CLOEXEC = 0o2000000;
/** "Relative to the current directory", for the *at calls. */
export const AT_FDCWD = -100;

const libc = openLibc({ syscall: { args: ['i64', 'i32', 'ptr', 'ptr', 'u64'], returns: FFIType.i64_fast } });

/** A rename or a mount elsewhere makes the kernel give up a scoped lookup with EAGAIN; so often it is tried again. */
const triesMax = 128;

/** openat2(2); the descriptor is close-on-exec. `mode` counts only with O_CREAT. */
export function openat2(dirFd: number, path: PathArg, flags: number, resolve: number, mode = 0): number {
  const name = cString(path);
  const how = new BigUint64Array([BigInt(flags | O_CLOEXEC), BigInt(mode), BigInt(resolve)]);
  for (let tries = 1; ; tries++) {
    const fd = libc.syscall(SYS_openat2, dirFd, name, how, how.byteLength);
    if (fd !== -1) return Number(fd);
    const number = errno();
    if (tries < triesMax && (number === constants.errno.EAGAIN || number === constants.errno.EINTR)) continue;
    throw new SyscallError(number, 'openat2', pathText(path));
  }
}
