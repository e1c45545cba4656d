import { mkdirSync, rmdirSync, statSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { EngineError, errnoOf, messageOf } from '../base/index.ts';
import { umountAll } from '../linux/index.ts';
import { mountByProgram } from './mount-program.ts';

/** Where a block device that is a container's root is mounted while the container runs. */
function placeOf(bundle: string): string {
  return join(bundle, 'root');
}

/** A root that the user manages (guide table 1-2, `--external-rootfs`): a directory or a block device. @throws invalidArgument */
export function checkExternalRoot(path: string): 'directory' | 'device' {
  let stat: Stats;
  try {
    stat = statSync(path);
  } catch (error) {
    const why = errnoOf(error) === 'ENOENT' ? 'no such file or directory' : messageOf(error);
    throw new EngineError('invalidArgument', `Cannot use external rootfs ${path}: ${why}`, { cause: error });
  }
  if (stat.isDirectory()) return 'directory';
  if (stat.isBlockDevice()) return 'device';
  throw new EngineError('invalidArgument', `Cannot use external rootfs ${path}: it is neither a directory nor a block device`);
}

/** The root to start from; a block device is mounted below the bundle, which must exist. `unmountExternalRoot` undoes it. */
export async function mountExternalRoot(path: string, bundle: string, options: { readOnly: boolean }): Promise<string> {
  if (checkExternalRoot(path) === 'directory') return path;
  const place = placeOf(bundle);
  umountAll(place);
  mkdirSync(place, { recursive: true, mode: 0o700 });
  await mountByProgram('external rootfs', path, place, { flags: options.readOnly ? 'ro' : 'rw' });
  return place;
}

/** May be repeated, also after a crash. Must come before the bundle is deleted: what is mounted in it is the user's. */
export function unmountExternalRoot(bundle: string): void {
  const place = placeOf(bundle);
  umountAll(place);
  try {
    rmdirSync(place);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}

/** The files of such a root; those of a block device are there only while its container runs. @throws conflict */
export function externalRootOf(path: string, bundle: string, isRunning: boolean): string {
  if (checkExternalRoot(path) === 'directory') return path;
  if (isRunning) return placeOf(bundle);
  throw new EngineError('conflict', `Cannot access the files on ${path}: it is mounted only while its container runs`);
}
