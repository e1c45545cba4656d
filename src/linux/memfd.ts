import { basename } from 'node:path';
import { closeSync, readFileSync, writeSync } from 'node:fs';
import { check, cString, errno, openLibc } from './libc.ts';

const libc = openLibc({
  memfd_create: { args: ['ptr', 'u32'], returns: 'i32' },
  fcntl: { args: ['i32', 'i32', 'i32'], returns: 'i32' },
});

const MFD_CLOEXEC = 1;
const MFD_ALLOW_SEALING = 2;
/** Since Linux 6.3; without it a host may refuse to execute the file (vm.memfd_noexec). */
const MFD_EXEC = 0x10;
const F_ADD_SEALS = 1033;
/** F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_WRITE: nobody can change the file any more. */
const allSeals = 1 | 2 | 4 | 8;
const EINVAL = 22;

/** A copy of a program in memory that nobody can change, as a close-on-exec descriptor (memfd_create(2), "File sealing"). */
export function sealedCopy(path: string): number {
  const data = readFileSync(path);
  const fd = create(basename(path));
  try {
    for (let at = 0; at < data.length;) at += writeSync(fd, data, at);
    check(libc.fcntl(fd, F_ADD_SEALS, allSeals), 'fcntl');
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function create(label: string): number {
  const name = cString(label);
  const fd = libc.memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
  if (fd === -1 && errno() === EINVAL) return check(libc.memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING), 'memfd_create');
  return check(fd, 'memfd_create');
}
