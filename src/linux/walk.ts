import { closeSync, constants } from 'node:fs';
import { errnoOf } from '../base/index.ts';
import { openat2, RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS } from './openat2.ts';
import { readDirEntries } from './readdir.ts';
import { S_IFDIR, S_IFMT, statAt, type FileStat } from './statx.ts';

/** The bytes of a raw name (see `readDirEntries`), as the calls of this folder take them. */
export function rawBytes(name: string): Buffer {
  return Buffer.from(name, 'latin1');
}

export interface WalkEntry {
  /** Relative to the tree's root, raw (latin1); empty: the root itself. */
  path: string;
  /** The directory that holds the entry, or for a directory the directory itself; open until the walk goes on. */
  dirFd: number;
  /** The entry's raw name in `dirFd`; empty for a directory. */
  name: string;
  stat: FileStat;
}

/** What a live tree may do between two calls: the entry is gone or is something else now. It is left out. */
function vanished(error: unknown): boolean {
  const code = errnoOf(error);
  return code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP' || code === 'ESTALE';
}

/**
 * Walks a tree below a directory descriptor in a fixed order: a directory, its files by name, then its directories by name.
 * Nothing outside the tree is ever reached, whatever is swapped meanwhile: directories are opened relative to the root without
 * following any link. One descriptor is open at a time, so depth costs none. `into` says whether to go into a directory.
 */
export function* walkTree(rootFd: number, into: (path: string, stat: FileStat) => boolean = () => true): Generator<WalkEntry> {
  const todo: string[] = [''];
  for (let path = todo.pop(); path !== undefined; path = todo.pop()) {
    let dirFd: number;
    try {
      const flags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
      dirFd = openat2(rootFd, path === '' ? '.' : rawBytes(path), flags, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
    } catch (error) {
      if (path !== '' && vanished(error)) continue;
      throw error;
    }
    try {
      const stat = statAt(dirFd, '');
      yield { path, dirFd, name: '', stat };
      if (!into(path, stat)) continue;
      const below: string[] = [];
      for (const name of namesIn(dirFd)) {
        const child = path === '' ? name : `${path}/${name}`;
        let entry: FileStat;
        try {
          entry = statAt(dirFd, rawBytes(name));
        } catch (error) {
          if (vanished(error)) continue;
          throw error;
        }
        if ((entry.mode & S_IFMT) === S_IFDIR) below.push(child);
        else yield { path: child, dirFd, name, stat: entry };
      }
      for (const child of below.reverse()) todo.push(child);
    } finally {
      closeSync(dirFd);
    }
  }
}

/** The raw names in a freshly opened directory, sorted by byte. */
export function namesIn(dirFd: number): string[] {
  const names: string[] = [];
  for (let some = readDirEntries(dirFd); some !== undefined; some = readDirEntries(dirFd)) for (const { name } of some) names.push(name);
  return names.sort();
}
