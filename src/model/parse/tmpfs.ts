import { isEngineError } from '../../base/index.ts';
import { parseBytes } from './bytes.ts';
import { cut, invalid, shown } from './invalid.ts';
import { checkMountTarget } from './volume.ts';

/** Mount options of tmpfs without a value (mount(8), as docker allows them). */
const flags = new Set([
  'defaults', 'ro', 'rw', 'suid', 'nosuid', 'dev', 'nodev', 'exec', 'noexec', 'sync', 'async', 'dirsync', 'mand', 'nomand', 'atime', 'noatime',
  'diratime', 'nodiratime', 'relatime', 'norelatime', 'strictatime', 'nostrictatime', 'private', 'rprivate', 'slave', 'rslave', 'shared', 'rshared',
]);

/** @throws invalidArgument for an option that a tmpfs cannot have. */
export function checkTmpfsOptions(options: string): void {
  if (options === '') return;
  for (const option of options.split(',')) {
    const { before: key, after: value } = cut(option, '=');
    const isValid = value === undefined ? flags.has(key)
      : key === 'size' ? isSize(value)
      : key === 'mode' ? /^[0-7]{1,4}$/.test(value)
      : key === 'uid' || key === 'gid' ? /^[0-9]{1,10}$/.test(value)
      : key === 'nr_inodes' ? isSize(value)
      : key === 'mpol' && /^[a-z0-9=:,_-]+$/.test(value);
    if (!isValid) throw invalid(`invalid tmpfs option ["${shown(option)}"]`);
  }
}

function isSize(value: string): boolean {
  if (/^[0-9]{1,3}%$/.test(value)) return true;
  try {
    parseBytes(value);
    return true;
  } catch (error) {
    if (isEngineError(error)) return false;
    throw error;
  }
}

/** `path[:options]` of `--tmpfs`. */
export function parseTmpfs(text: string): { target: string; options: string } {
  const { before, after } = cut(text, ':');
  const target = checkMountTarget(before);
  checkTmpfsOptions(after ?? '');
  return { target, options: after ?? '' };
}
