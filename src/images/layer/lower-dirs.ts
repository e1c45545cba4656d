import { closeSync, constants, openSync } from 'node:fs';
import { errnoOf } from '../../base/index.ts';
import { namesIn, O_PATH, openat2, rawBytes, RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS, S_IFDIR, S_IFMT, statAt } from '../../linux/index.ts';
import type { FileStat } from '../../linux/index.ts';
import { isOpaque, isWhiteout } from './overlay-form.ts';
import { splitPath } from './paths.ts';

/** What layers together show at a path. */
interface Found {
  stat: FileStat;
  /** Of a directory: the layers that it is merged of, top first. */
  roots: number[];
}

/**
 * Committed layers, top first, looked at as overlay merges them. They never change, so that a path whose parts were each seen to be a
 * directory can be used whole.
 */
export class LowerDirs implements Disposable {
  readonly #roots: number[] = [];
  #last: { path: string; found: Found | undefined } | undefined;

  constructor(paths: readonly string[]) {
    try {
      for (const path of paths) this.#roots.push(openSync(path, O_PATH | constants.O_DIRECTORY));
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** The file at a raw path, links not followed; undefined when there is none. */
  stat(path: string): FileStat | undefined {
    return this.#find(path)?.stat;
  }

  /** Runs `use` on the topmost directory at a raw path; undefined when there is none. */
  withTop<T>(path: string, use: (dirFd: number, stat: FileStat) => T): T | undefined {
    const found = this.#find(path);
    const [root] = found?.roots ?? [];
    if (!found || root === undefined) return undefined;
    const fd = openDirectory(root, path);
    try {
      return use(fd, found.stat);
    } finally {
      closeSync(fd);
    }
  }

  /** The raw names that a directory shows. */
  list(path: string): string[] {
    const shown = new Set<string>();
    const hidden = new Set<string>();
    for (const root of this.#find(path)?.roots ?? []) {
      const fd = openDirectory(root, path);
      try {
        for (const name of namesIn(fd)) {
          if (shown.has(name) || hidden.has(name)) continue;
          if (isWhiteout(statAt(fd, rawBytes(name)))) hidden.add(name);
          else shown.add(name);
        }
      } finally {
        closeSync(fd);
      }
    }
    return [...shown].sort();
  }

  #find(path: string): Found | undefined {
    const [top] = this.#roots;
    if (top === undefined) return undefined;
    if (path === '') return { stat: statAt(top, ''), roots: this.#roots };
    const [parent] = splitPath(path);
    // Files of one directory are asked for one after the other.
    if (this.#last?.path !== parent) this.#last = { path: parent, found: this.#find(parent) };
    const above = this.#last.found;
    return above && merge(above.roots, path);
  }

  [Symbol.dispose](): void {
    for (const fd of this.#roots.splice(0)) closeSync(fd);
  }
}

/** What these layers, in each of which the path's parent is a directory, show at a path. */
function merge(roots: readonly number[], path: string): Found | undefined {
  let found: Found | undefined;
  for (const root of roots) {
    const stat = statOrNothing(root, path);
    if (!stat) continue;
    if ((stat.mode & S_IFMT) !== S_IFDIR) return found ?? (isWhiteout(stat) ? undefined : { stat, roots: [] });
    found ??= { stat, roots: [] };
    found.roots.push(root);
    if (isOpaque(root, path)) return found;
  }
  return found;
}

function statOrNothing(root: number, path: string): FileStat | undefined {
  try {
    return statAt(root, rawBytes(path));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}

function openDirectory(root: number, path: string): number {
  return openat2(root, path === '' ? '.' : rawBytes(path), constants.O_RDONLY | constants.O_DIRECTORY, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
}
