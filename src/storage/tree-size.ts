import { closeSync, constants, openSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { walkTree } from '../linux/index.ts';

/** So many entries are looked at before others get a turn. */
const entriesPerTurn = 500;

/** The sum of the sizes of a tree's files, hard links counted once, as docker counts a container's size. */
export async function treeSize(path: string, signal?: AbortSignal): Promise<number> {
  const root = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  const linked = new Set<bigint>();
  let bytes = 0;
  let seen = 0;
  try {
    for (const { name, stat } of walkTree(root)) {
      if (name !== '' && !(stat.nlink > 1 && linked.has(stat.ino))) bytes += stat.size;
      if (name !== '' && stat.nlink > 1) linked.add(stat.ino);
      if (++seen % entriesPerTurn === 0) {
        await setImmediate();
        signal?.throwIfAborted();
      }
    }
  } finally {
    closeSync(root);
  }
  return bytes;
}
