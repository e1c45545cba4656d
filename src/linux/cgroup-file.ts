import { closeSync, constants, openSync, readFileSync, writeSync } from 'node:fs';
import { errnoOf } from '../base/index.ts';

/** The trimmed text of a cgroup file; undefined where the file or the cgroup is missing. */
export function readCgroupFile(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1').trim();
  } catch (error) {
    const code = errnoOf(error);
    // ENODEV: the cgroup was removed between open and read. EOPNOTSUPP: a threaded cgroup's cgroup.procs.
    if (code === 'ENOENT' || code === 'ENODEV' || code === 'ENOTDIR' || code === 'EOPNOTSUPP') return undefined;
    throw error;
  }
}

/** A number of a cgroup file: `max` is Infinity, what is missing 0. */
export function readCgroupNumber(path: string): number {
  const text = readCgroupFile(path);
  if (text === undefined) return 0;
  return text === 'max' ? Infinity : parseInt(text, 10) || 0;
}

/** `key value` lines (memory.stat, cpu.stat, …). */
export function readCgroupPairs(path: string): Record<string, number> {
  const pairs: Record<string, number> = {};
  for (const line of readCgroupFile(path)?.split('\n') ?? []) {
    const space = line.indexOf(' ');
    if (space > 0) pairs[line.slice(0, space)] = Number(line.slice(space + 1)) || 0;
  }
  return pairs;
}

/** One write to a cgroup file, in one system call, as the kernel wants it. */
export function writeCgroupFile(path: string, value: string): void {
  // Neither O_CREAT, which cgroupfs answers with EPERM, nor O_TRUNC.
  const fd = openSync(path, constants.O_WRONLY);
  try {
    writeSync(fd, value);
  } finally {
    closeSync(fd);
  }
}
