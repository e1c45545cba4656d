import { closeSync, fstatSync, openSync, statSync } from 'node:fs';
import { errnoOf } from '../../base/index.ts';

/** Most files that one log is rotated through. */
export const logFilesMax = 1000;

/** One file of a rotated log: `path` is written, `path.1` was before it, and so on. */
interface LogFile {
  readonly path: string;
  readonly inode: number;
  readonly bytes: number;
  readonly modifiedMs: number;
}

/** The files of a log, oldest first. A gap in the numbers (a crash in the middle of a rotation) is stepped over. */
function logFiles(path: string): LogFile[] {
  const files: LogFile[] = [];
  for (let number = 0, missing = 0; number <= logFilesMax && missing < 2; number++) {
    const name = number === 0 ? path : `${path}.${number}`;
    const stat = statSync(name, { throwIfNoEntry: false });
    if (stat === undefined) {
      // The file being written is absent for a moment in every rotation.
      if (number > 0) missing++;
      continue;
    }
    missing = 0;
    files.push({ path: name, inode: stat.ino, bytes: stat.size, modifiedMs: stat.mtimeMs });
  }
  return files.reverse();
}

/** An open file of a log. */
export interface OpenLog {
  readonly fd: number;
  readonly inode: number;
}

/**
 * Opens the file of the list that `choose` picks. Listing and opening happen without a break, so the rotator, which lives in
 * this process, cannot rename in between; whoever else does makes it look again.
 */
export function openLogFile(path: string, choose: (files: LogFile[]) => LogFile | undefined): OpenLog | undefined {
  for (let tries = 0; tries < 100; tries++) {
    const file = choose(logFiles(path));
    if (file === undefined) return undefined;
    let fd: number;
    try {
      fd = openSync(file.path, 'r');
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') continue;
      throw error;
    }
    if (fstatSync(fd).ino === file.inode) return { fd, inode: file.inode };
    closeSync(fd);
  }
  return undefined;
}

/** The file that output went to after the given one; undefined when it is the newest, or its successor is not made yet. */
export function openNext(path: string, inode: number): OpenLog | undefined {
  // A file that is in the list no more was the oldest when it was dropped: go on with the oldest there is.
  return openLogFile(path, (files) => files[files.findIndex((file) => file.inode === inode) + 1]);
}

/** The file that output went to before the given one. */
export function openPrevious(path: string, inode: number): OpenLog | undefined {
  return openLogFile(path, (files) => files[files.findIndex((file) => file.inode === inode) - 1]);
}
