import { closeSync, openSync } from 'node:fs';
import { EngineError, errnoOf } from '../base/index.ts';
import { syncFs } from '../linux/index.ts';

/**
 * Writes all of a path's file system to disk. syncfs(2) blocks its thread for as long as the disk takes, so `sync -f` does it;
 * a layer's commit can afford the child. Where the tool is missing the call is made here.
 */
export async function syncFileSystem(path: string): Promise<void> {
  let status: number;
  try {
    status = await Bun.spawn(['sync', '-f', path], { stdin: 'ignore', stdout: 'ignore', stderr: 'ignore' }).exited;
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    const fd = openSync(path, 'r');
    try {
      syncFs(fd);
    } finally {
      closeSync(fd);
    }
    return;
  }
  if (status !== 0) throw new EngineError('internal', `Cannot write ${path} to disk: sync ended with status ${status}`);
}
