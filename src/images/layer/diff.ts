import { closeSync, constants, openSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { S_IFDIR, S_IFMT, walkTree, type FileStat } from '../../linux/index.ts';
import { LowerDirs } from './lower-dirs.ts';
import { isOpaque, isWhiteout } from './overlay-form.ts';
import { joinPath, splitPath } from './paths.ts';

/** moby: container.FilesystemChange; 0 modified, 1 added, 2 deleted. */
export interface TreeChange {
  Path: string;
  Kind: 0 | 1 | 2;
}

const modified = 0;
const added = 1;
const deleted = 2;
/** So many entries are looked at before others get a turn. */
const entriesPerTurn = 500;

/**
 * What a container's upper directory changed, as `docker diff` shows it, sorted by path. `lowers`: the image's directories,
 * top first. A directory that only holds changes is one too (C); a directory that overlay merely copied up is none, nor is one that
 * only got what is in `hidden`: paths that are left out.
 */
export async function diffTree(upper: string, lowers: readonly string[], hidden: ReadonlySet<string> = new Set()): Promise<TreeChange[]> {
  const holdsHidden = new Set([...hidden].map((path) => splitPath(path)[0]));
  const changes = new Map<string, 0 | 1 | 2>();
  using lower = new LowerDirs(lowers);
  const rootFd = openSync(upper, constants.O_RDONLY | constants.O_DIRECTORY);
  const add = (path: string, kind: 0 | 1 | 2) => {
    changes.set(path, kind);
    for (let [parent] = splitPath(path); parent !== ''; [parent] = splitPath(parent)) {
      if (changes.has(parent)) break;
      changes.set(parent, modified);
    }
  };
  try {
    let seen = 0;
    for (const { path, name, dirFd, stat } of walkTree(rootFd)) {
      if (++seen % entriesPerTurn === 0) await setImmediate();
      if (path === '' || hidden.has(path)) continue;
      const before = lower.stat(path);
      if (isWhiteout(stat)) {
        if (before) add(path, deleted);
      } else if (!before) {
        add(path, added);
      } else if (!sameDirectory(before, stat, holdsHidden.has(path))) {
        add(path, modified);
      }
      if (name !== '' || !before || !isOpaque(dirFd)) continue;
      // The directory was removed and made again: what it had is gone, except what the walk will find in it.
      for (const old of lower.list(path)) add(joinPath(path, old), deleted);
    }
  } finally {
    closeSync(rootFd);
  }
  const sorted = [...changes].sort(([a], [b]) => (a < b ? -1 : 1));
  return sorted.map(([path, kind]) => ({ Path: `/${Buffer.from(path, 'latin1').toString()}`, Kind: kind }));
}

/** A directory that stands in the upper one only because something in it changed. */
function sameDirectory(before: FileStat, now: FileStat, anyTime: boolean): boolean {
  const bothDirs = (before.mode & S_IFMT) === S_IFDIR && (now.mode & S_IFMT) === S_IFDIR;
  return bothDirs && before.mode === now.mode && before.uid === now.uid && before.gid === now.gid
    && (anyTime || (before.mtimeSec === now.mtimeSec && before.mtimeNsec === now.mtimeNsec));
}
