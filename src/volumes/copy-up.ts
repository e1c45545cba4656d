import { closeSync, constants, mkdirSync, openSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errnoOf, failPoint, fsyncDir } from '../base/index.ts';
import { openat2, RESOLVE_IN_ROOT } from '../linux/index.ts';
import { syncFileSystem } from '../storage/index.ts';
import { copyTree } from './copy-tree.ts';

/** Where a copy is made before it becomes the volume's data; what a crash leaves there is removed at the next start. */
export const copyDirectory = '_copy';

/** So many files are flushed one by one; beyond that the whole file system is, which also waits for what others wrote. */
const flushedSinglyMax = 64;

async function flushTree(path: string): Promise<void> {
  const entries = readdirSync(path, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile() || entry.isDirectory());
  if (entries.length > flushedSinglyMax) return syncFileSystem(path);
  await Promise.all(entries.map(async (entry) => {
    await using file = await open(join(entry.parentPath, entry.name), 'r');
    await file.sync();
  }));
  fsyncDir(path);
}

/**
 * Fills an empty volume with what the image has at the path it will be mounted on (docker's copy-up). The path is looked up
 * inside the root file system, whatever its links say; where there is no directory nothing happens.
 * `inPlace`: its directory cannot be replaced as a whole, being a mount of its own or mounted in a container that runs.
 */
export async function copyUp(rootfs: string, target: string, data: string, inPlace: boolean): Promise<void> {
  if (readdirSync(data).length > 0) return;
  const root = openSync(rootfs, constants.O_RDONLY | constants.O_DIRECTORY);
  let source: number;
  try {
    source = openat2(root, target, constants.O_RDONLY | constants.O_DIRECTORY, RESOLVE_IN_ROOT);
  } catch (error) {
    const code = errnoOf(error);
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP') return;
    throw error;
  } finally {
    closeSync(root);
  }
  try {
    if (inPlace) {
      await copyTree(source, data);
      await syncFileSystem(data);
      return;
    }
    const copy = join(dirname(data), copyDirectory);
    rmSync(copy, { recursive: true, force: true });
    mkdirSync(copy, { mode: 0o755 });
    await copyTree(source, copy);
    // A volume whose files are empty after a power cut would never be filled again.
    await flushTree(copy);
    failPoint('volume.copied');
    renameSync(copy, data);
    fsyncDir(dirname(data));
  } finally {
    closeSync(source);
  }
}
