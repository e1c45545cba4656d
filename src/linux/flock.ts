import { closeSync, constants, ftruncateSync, openSync, writeSync } from 'node:fs';
import { errnoOf } from '../base/index.ts';
import { check, openLibc } from './libc.ts';

const LOCK_EX = 2;
const LOCK_NB = 4;

const libc = openLibc({ flock: { args: ['i32', 'i32'], returns: 'i32' } });

/** Takes an exclusive lock on an open file without waiting; false when another open file has it. It lasts until the fd is closed. */
export function tryFlock(fd: number): boolean {
  try {
    check(libc.flock(fd, LOCK_EX | LOCK_NB), 'flock');
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EWOULDBLOCK' || errnoOf(error) === 'EAGAIN') return false;
    throw error;
  }
}

/**
 * A lock file that holds this process's pid. Gives undefined when another process has it; release it by `using`.
 * The file stays, empty: removing it would let two processes lock two files of one name. A link at its place is an error.
 */
export function lockFile(path: string): Disposable | undefined {
  const fd = openSync(path, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  try {
    if (!tryFlock(fd)) {
      closeSync(fd);
      return undefined;
    }
    ftruncateSync(fd, 0);
    writeSync(fd, `${process.pid}\n`);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return {
    [Symbol.dispose]() {
      ftruncateSync(fd, 0);
      closeSync(fd);
    },
  };
}
