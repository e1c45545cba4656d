import { errnoOf } from '../base/index.ts';
import { check, cString, openLibc } from './libc.ts';

/** mount(2) flags. */
export const MS_RDONLY = 1;
export const MS_NOSUID = 2;
export const MS_NODEV = 4;
export const MS_NOEXEC = 8;
const MS_REMOUNT = 32;
export const MS_BIND = 4096;
export const MS_REC = 16384;
export const MS_PRIVATE = 1 << 18;
export const MS_SLAVE = 1 << 19;
export const MS_SHARED = 1 << 20;

/** umount2(2) flags. */
export const MNT_DETACH = 2;
const UMOUNT_NOFOLLOW = 8;

const libc = openLibc({
  mount: { args: ['ptr', 'ptr', 'ptr', 'u64', 'ptr'], returns: 'i32' },
  umount2: { args: ['ptr', 'i32'], returns: 'i32' },
});

/** The kernel copies one page of mount data, and silently cuts what is longer. */
const mountDataLimitBytes = 4095;

/** mount(2). @throws TypeError when `data` does not fit the page that the kernel reads of it. */
export function mount(source: string, target: string, fsType: string, flags = 0, data = ''): void {
  const options = cString(data);
  if (options.length > mountDataLimitBytes + 1) {
    throw new TypeError(`Cannot mount ${target}: its options take ${options.length} bytes, one page is the limit`);
  }
  check(libc.mount(cString(source), cString(target), cString(fsType), flags, options), 'mount', target);
}

/** Bind-mounts `source` on `target`; `flags` (MS_REC, MS_RDONLY, MS_NOSUID …) beyond MS_REC are applied by the remount that the kernel asks for. */
export function bindMount(source: string, target: string, flags = 0): void {
  mount(source, target, 'none', MS_BIND | (flags & MS_REC));
  const rest = flags & ~MS_REC;
  if (rest === 0) return;
  try {
    mount('none', target, 'none', MS_BIND | MS_REMOUNT | rest);
  } catch (error) {
    umount(target, MNT_DETACH);
    throw error;
  }
}

/** Sets a mount point's propagation: MS_PRIVATE, MS_SLAVE or MS_SHARED, with or without MS_REC. */
export function setPropagation(target: string, flags: number): void {
  mount('none', target, 'none', flags);
}

/** umount2(2). A symbolic link as the last component is never followed. */
export function umount(target: string, flags = 0): void {
  check(libc.umount2(cString(target), flags | UMOUNT_NOFOLLOW), 'umount', target);
}

/** Stacked mounts on one point are bounded, so that a fault cannot loop for ever. */
const stackedMountsMax = 1000;

/**
 * Unmounts everything stacked on `target`; busy mounts are detached.
 * Gives false when nothing was mounted there, or the path does not exist.
 */
export function umountAll(target: string): boolean {
  for (let done = 0; done < stackedMountsMax; done++) {
    try {
      try {
        umount(target);
      } catch (error) {
        if (errnoOf(error) !== 'EBUSY') throw error;
        umount(target, MNT_DETACH);
      }
    } catch (error) {
      const code = errnoOf(error);
      if (code === 'EINVAL' || code === 'ENOENT') return done > 0;
      throw error;
    }
  }
  return true;
}
