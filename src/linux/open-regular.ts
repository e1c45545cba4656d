import { closeSync, constants, openSync } from 'node:fs';
import type { PathArg } from './libc.ts';
import { O_PATH, openat2 } from './openat2.ts';
import { S_IFMT, S_IFREG, statAt, type FileStat } from './statx.ts';

/**
 * Opens a plain file for reading, and nothing else: undefined for another kind. Opening a device or a fifo can have effects or
 * wait for ever, and in a container's tree the name may become one at any time; so the file is held by O_PATH, which has no effect, looked
 * at, and only then opened through that descriptor. `resolve` are openat2(2)'s flags. @throws SyscallError.
 */
export function openRegularAt(dirFd: number, path: PathArg, resolve: number, follow = false): { fd: number; stat: FileStat } | undefined {
  const held = openat2(dirFd, path, O_PATH | (follow ? 0 : constants.O_NOFOLLOW), resolve);
  try {
    const stat = statAt(held, '');
    if ((stat.mode & S_IFMT) !== S_IFREG) return undefined;
    return { fd: openSync(`/proc/self/fd/${held}`, constants.O_RDONLY), stat };
  } finally {
    closeSync(held);
  }
}
