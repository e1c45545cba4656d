import { FFIType } from 'bun:ffi';
import { check, openLibc } from './libc.ts';

/** getdents64 has a number of its own on each architecture. */
const SYS_getdents64 = process.arch === 'x64' ? 217 : 61;
const bufferBytes = 32768;
const buffer = Buffer.alloc(bufferBytes);

const libc = openLibc({ syscall: { args: ['i64', 'i32', 'ptr', 'u64'], returns: FFIType.i64_fast } });

/** d_type of struct linux_dirent64. */
export const DT_UNKNOWN = 0;

/**
 * The next entries of an open directory, `.` and `..` left out; undefined at its end. Names are bytes written as latin1, one
 * character each: file names need not be UTF-8, and so none is changed on its way through a string.
 */
export function readDirEntries(dirFd: number): { name: string; type: number }[] | undefined {
  const length = check(libc.syscall(SYS_getdents64, dirFd, buffer, buffer.length), 'getdents64');
  if (length === 0) return undefined;
  const entries: { name: string; type: number }[] = [];
  for (let at = 0; at < length;) {
    const recordBytes = buffer.readUInt16LE(at + 16);
    const name = buffer.toString('latin1', at + 19, buffer.indexOf(0, at + 19));
    if (name !== '.' && name !== '..') entries.push({ name, type: buffer.readUInt8(at + 18) });
    at += recordBytes;
  }
  return entries;
}
