import { closeSync, constants, openSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../base/index.ts';

/**
 * Does what `crun start` does for a container without poststart hooks: writes a byte into the FIFO that its init waits at, and removes the
 * FIFO (libcrun/container.c, libcrun_container_start). That saves a child process. False: it cannot be done so, and `start` must say why.
 */
export function releaseInit(runtimeRoot: string, id: string): boolean {
  const path = join(runtimeRoot, id, 'exec.fifo');
  let fd: number;
  try {
    // Without O_NONBLOCK the open would wait for an init that has died.
    fd = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENXIO') return false;
    throw error;
  }
  try {
    writeSync(fd, new Uint8Array(1));
  } catch (error) {
    if (errnoOf(error) === 'EPIPE') return false;
    throw error;
  } finally {
    closeSync(fd);
  }
  unlinkSync(path);
  return true;
}
