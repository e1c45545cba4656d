import { dirname } from 'node:path';
import { EngineError, errnoOf, messageOf } from '../base/index.ts';
import { readCgroupFile, writeCgroupFile } from './cgroup-file.ts';

export interface CgroupWrite {
  /** Full path of the cgroup file. */
  path: string;
  value: string;
  /** For messages: the option that asked for it (`--memory`). */
  what: string;
  /** How to put the old value back, where the file does not read as it is written (`io.max`, throttle files). */
  undo?: string;
}

/**
 * Writes limits one after the other, all or none: when the kernel refuses one, those before it are put back.
 * @throws invalidArgument or conflict with the kernel's reason.
 */
export function applyCgroupWrites(writes: readonly CgroupWrite[]): void {
  const done: { path: string; value: string }[] = [];
  for (const write of writes) {
    const before = write.undo ?? readCgroupFile(write.path);
    try {
      if (before === undefined) throw new Error('the file does not exist');
      writeCgroupFile(write.path, write.value);
    } catch (error) {
      for (const { path, value } of done.reverse()) restore(path, value);
      throw refused(write, error);
    }
    if (before !== write.value) done.push({ path: write.path, value: before });
  }
}

function restore(path: string, value: string): void {
  try {
    writeCgroupFile(path, value);
  } catch {
    // The kernel took the new value a moment ago; that it does not take the old one leaves nothing else to do.
  }
}

function refused(write: CgroupWrite, cause: unknown): EngineError {
  const name = write.path.slice(dirname(write.path).length + 1);
  const code = errnoOf(cause);
  const cannot = `Cannot set ${write.what} to ${write.value}`;
  if (code === 'EBUSY') return new EngineError('conflict', `${cannot}: more than that is in use (${name}: EBUSY)`, { cause });
  if (code === 'EINVAL' || code === 'ERANGE') {
    return new EngineError('invalidArgument', `${cannot}: the kernel takes no such value (${name}: ${code})`, { cause });
  }
  if (code === 'EOPNOTSUPP' || code === 'ENOTSUP') {
    return new EngineError('unsupported', `${cannot}: the device or its I/O scheduler does not support it (${name})`, { cause });
  }
  if (code === 'ENOENT' || code === undefined) {
    return new EngineError('unsupported', `Cannot set ${write.what}: this host's kernel has no ${name}`, { cause });
  }
  return new EngineError('internal', `${cannot}: ${name}: ${messageOf(cause)}`, { cause });
}
