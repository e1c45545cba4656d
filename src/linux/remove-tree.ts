import { closeSync, constants } from 'node:fs';
import { rmdirAt, unlinkAt } from './at.ts';
import { openat2, RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS } from './openat2.ts';
import { rawBytes, walkTree } from './walk.ts';

const directory = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
const scoped = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;

/** Removes a directory (by raw name) and all that is in it; no link is followed, whatever is swapped meanwhile. */
export function removeTreeAt(parentFd: number, name: string): void {
  const top = openat2(parentFd, rawBytes(name), directory, scoped);
  try {
    const directories: string[] = [];
    for (const entry of walkTree(top)) {
      if (entry.name !== '') unlinkAt(entry.dirFd, rawBytes(entry.name));
      else if (entry.path !== '') directories.push(entry.path);
    }
    for (const path of directories.reverse()) {
      const slash = path.lastIndexOf('/');
      if (slash < 0) {
        rmdirAt(top, rawBytes(path));
        continue;
      }
      const parent = openat2(top, rawBytes(path.slice(0, slash)), directory, scoped);
      try {
        rmdirAt(parent, rawBytes(path.slice(slash + 1)));
      } finally {
        closeSync(parent);
      }
    }
  } finally {
    closeSync(top);
  }
  rmdirAt(parentFd, rawBytes(name));
}
