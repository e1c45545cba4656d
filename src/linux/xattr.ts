import { FFIType } from 'bun:ffi';
import { errnoOf } from '../base/index.ts';
import { check, cString, openLibc, type PathArg } from './libc.ts';

const size = FFIType.i64_fast;
const libc = openLibc({
  lgetxattr: { args: ['ptr', 'ptr', 'ptr', 'u64'], returns: size },
  llistxattr: { args: ['ptr', 'ptr', 'u64'], returns: size },
  lsetxattr: { args: ['ptr', 'ptr', 'ptr', 'u64', 'i32'], returns: 'i32' },
  fsetxattr: { args: ['i32', 'ptr', 'ptr', 'u64', 'i32'], returns: 'i32' },
});

/** XATTR_SIZE_MAX and XATTR_LIST_MAX (linux/limits.h). */
const xattrLimitBytes = 65536;

const shared = Buffer.alloc(xattrLimitBytes);

/** An extended attribute of a file or of a link itself; undefined when it has none of that name, or the file system has none at all. */
export function getXattr(path: PathArg, name: string): Buffer | undefined {
  try {
    const length = check(libc.lgetxattr(cString(path), cString(name), shared, shared.length), 'getxattr', path);
    return Buffer.from(shared.subarray(0, length));
  } catch (error) {
    const code = errnoOf(error);
    if (code === 'ENODATA' || code === 'EOPNOTSUPP' || code === 'ENOTSUP') return undefined;
    throw error;
  }
}

/** The names of a file's extended attributes (of a link itself), sorted. */
export function listXattrs(path: PathArg): string[] {
  let length: number;
  try {
    length = check(libc.llistxattr(cString(path), shared, shared.length), 'listxattr', path);
  } catch (error) {
    const code = errnoOf(error);
    if (code === 'EOPNOTSUPP' || code === 'ENOTSUP') return [];
    throw error;
  }
  return length === 0 ? [] : shared.toString('latin1', 0, length - 1).split('\0').sort();
}

export function setXattr(path: PathArg, name: string, value: Uint8Array): void {
  check(libc.lsetxattr(cString(path), cString(name), addressable(value), value.length, 0), 'setxattr', path);
}

export function setXattrFd(fd: number, name: string, value: Uint8Array): void {
  check(libc.fsetxattr(fd, cString(name), addressable(value), value.length, 0), 'fsetxattr', name);
}

/** An empty buffer has no address that FFI could pass; the length says that nothing is read of it. */
function addressable(value: Uint8Array): Uint8Array {
  return value.length === 0 ? new Uint8Array(1) : value;
}
