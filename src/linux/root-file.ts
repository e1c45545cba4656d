import { closeSync, constants, openSync, readSync } from 'node:fs';
import { EngineError, errnoOf } from '../base/index.ts';
import { openRegularAt } from './open-regular.ts';
import { O_PATH, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS } from './openat2.ts';

/**
 * Reads a file as a process whose root is `rootDir` sees it: links stay inside. Undefined when it is not there or is no plain file.
 * @throws EngineError tooLarge beyond `limitBytes`.
 */
export function readFileInRoot(rootDir: string, path: string, limitBytes: number): Buffer | undefined {
  const rootFd = openSync(rootDir, O_PATH | constants.O_DIRECTORY);
  let opened: ReturnType<typeof openRegularAt>;
  try {
    opened = openRegularAt(rootFd, path, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS, true);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  } finally {
    closeSync(rootFd);
  }
  if (!opened) return undefined;
  const { fd, stat } = opened;
  try {
    if (stat.size > limitBytes) {
      throw new EngineError('tooLarge', `Cannot read ${path} of the container: ${stat.size} bytes, the limit is ${limitBytes}`);
    }
    const buffer = Buffer.alloc(stat.size);
    let length = 0;
    for (let some = 1; some > 0 && length < buffer.length; length += some) some = readSync(fd, buffer, length, buffer.length - length, null);
    return buffer.subarray(0, length);
  } finally {
    closeSync(fd);
  }
}
