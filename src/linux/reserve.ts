import { closeSync, openSync } from 'node:fs';
import { check, openLibc } from './libc.ts';

const FALLOC_FL_KEEP_SIZE = 1;

const libc = openLibc({ fallocate: { args: ['i32', 'i32', 'i64', 'i64'], returns: 'i32' } });

/**
 * Has the file system set blocks aside for a file's first `bytes`, also beyond its end; its size stays.
 * @throws SyscallError: ENOENT, ENOSPC, EOPNOTSUPP where the file system cannot do it.
 */
export function reserveBlocks(path: string, bytes: number): void {
  const fd = openSync(path, 'r+');
  try {
    check(libc.fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, bytes), 'fallocate', path);
  } finally {
    closeSync(fd);
  }
}
