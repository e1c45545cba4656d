import { closeSync, constants, openSync } from 'node:fs';
import { errnoOf } from '../../base/index.ts';
import { namesIn, O_PATH, openat2, rawBytes, RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS, S_IFDIR, S_IFMT, S_IFREG, statAt } from '../../linux/index.ts';
import { LowerDirs } from './lower-dirs.ts';

/**
 * Of the given paths (relative to the root) those where an upper directory has nothing but what the runtime made to mount something
 * on: an empty file or directory that the layers below do not have. `lowers`: top first.
 */
export function bareMountPoints(upper: string, lowers: readonly string[], paths: readonly string[]): Set<string> {
  using lower = new LowerDirs(lowers);
  const rootFd = openSync(upper, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    return new Set(paths.filter((path) => isBare(rootFd, path) && !lower.stat(path)));
  } finally {
    closeSync(rootFd);
  }
}

/** The container may run and change its layer meanwhile: no link is followed. */
function isBare(rootFd: number, path: string): boolean {
  const opened = <T>(flags: number, use: (fd: number) => T): T => {
    const fd = openat2(rootFd, rawBytes(path), flags, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
    try {
      return use(fd);
    } finally {
      closeSync(fd);
    }
  };
  try {
    const stat = opened(O_PATH | constants.O_NOFOLLOW, (fd) => statAt(fd, ''));
    if ((stat.mode & S_IFMT) === S_IFREG) return stat.size === 0;
    return (stat.mode & S_IFMT) === S_IFDIR && opened(constants.O_RDONLY | constants.O_DIRECTORY, (fd) => namesIn(fd).length === 0);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(errnoOf(error) ?? '')) return false;
    throw error;
  }
}
