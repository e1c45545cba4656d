import { FFIType } from 'bun:ffi';
import { closeSync, constants, openSync } from 'node:fs';
import { errnoOf } from '../base/index.ts';
import { check, cString, openLibc } from './libc.ts';
import { mount } from './mount.ts';
import { AT_FDCWD, O_PATH } from './openat2.ts';

const SYS_move_mount = 429;
const SYS_fsopen = 430;
const SYS_fsconfig = 431;
const SYS_fsmount = 432;

const FSOPEN_CLOEXEC = 1;
const FSMOUNT_CLOEXEC = 1;
const FSCONFIG_SET_FLAG = 0;
const FSCONFIG_SET_STRING = 1;
const FSCONFIG_CMD_CREATE = 6;
const MOVE_MOUNT_F_EMPTY_PATH = 4;

/** fsconfig(2) takes strings of less than this. */
const configStringLimitBytes = 255;
/** mount(2) reads one page. */
const mountDataLimitBytes = 4000;

const long = FFIType.i64_fast;
const fsopen = openLibc({ syscall: { args: ['i64', 'ptr', 'u32'], returns: long } });
const fsconfig = openLibc({ syscall: { args: ['i64', 'i32', 'u32', 'ptr', 'ptr', 'i32'], returns: long } });
const fsmount = openLibc({ syscall: { args: ['i64', 'i32', 'u32', 'u32'], returns: long } });
const moveMount = openLibc({ syscall: { args: ['i64', 'i32', 'ptr', 'i32', 'ptr', 'u32'], returns: long } });

export interface OverlayMount {
  /** Top first, at least one. */
  lowers: readonly string[];
  upper: string;
  work: string;
  target: string;
  /** `name=value` or `name`. */
  options: readonly string[];
}

/**
 * Mounts an overlay of up to 500 layers (the kernel's own limit). A mount whose options fit a page is one mount(2); more layers
 * go one by one through fsconfig(2) `lowerdir+` (kernel 6.5), and on older kernels by the short names /proc/self/fd/N.
 */
export function mountOverlay(overlay: OverlayMount): void {
  const { lowers, upper, work, target, options } = overlay;
  const lowerdir = lowers.map(escapeLower).join(':');
  const data = [`lowerdir=${lowerdir}`, `upperdir=${escapeOption(upper)}`, `workdir=${escapeOption(work)}`, ...options].join(',');
  if (Buffer.byteLength(data) <= mountDataLimitBytes) return mount('overlay', target, 'overlay', 0, data);
  if ([...lowers, upper, work].every((path) => Buffer.byteLength(path) < configStringLimitBytes)) {
    try {
      return mountByConfig(overlay);
    } catch (error) {
      // ENOSYS: no fsopen(2), before 5.2; EINVAL: no `lowerdir+`, before 6.5.
      if (errnoOf(error) !== 'ENOSYS' && errnoOf(error) !== 'EINVAL') throw error;
    }
  }
  mountByDescriptors(overlay);
}

function mountByConfig({ lowers, upper, work, target, options }: OverlayMount): void {
  const context = check(fsopen.syscall(SYS_fsopen, cString('overlay'), FSOPEN_CLOEXEC), 'fsopen', 'overlay');
  try {
    const set = (key: string, value: string) => {
      check(fsconfig.syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, cString(key), cString(value), 0), `fsconfig ${key}`, value);
    };
    for (const lower of lowers) set('lowerdir+', lower);
    set('upperdir', upper);
    set('workdir', work);
    for (const option of options) {
      const at = option.indexOf('=');
      if (at > 0) set(option.slice(0, at), option.slice(at + 1));
      else check(fsconfig.syscall(SYS_fsconfig, context, FSCONFIG_SET_FLAG, cString(option), null, 0), 'fsconfig', option);
    }
    check(fsconfig.syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, null, null, 0), 'mount', target);
    const mounted = check(fsmount.syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, 0), 'fsmount', target);
    try {
      check(moveMount.syscall(SYS_move_mount, mounted, cString(''), AT_FDCWD, cString(target), MOVE_MOUNT_F_EMPTY_PATH), 'move_mount', target);
    } finally {
      closeSync(mounted);
    }
  } finally {
    closeSync(context);
  }
}

function mountByDescriptors({ lowers, upper, work, target, options }: OverlayMount): void {
  const fds: number[] = [];
  const name = (path: string) => {
    const fd = openSync(path, O_PATH | constants.O_DIRECTORY);
    fds.push(fd);
    return `/proc/self/fd/${fd}`;
  };
  try {
    const data = [`lowerdir=${lowers.map(name).join(':')}`, `upperdir=${name(upper)}`, `workdir=${name(work)}`, ...options].join(',');
    mount('overlay', target, 'overlay', 0, data);
  } finally {
    for (const fd of fds) closeSync(fd);
  }
}

function escapeOption(path: string): string {
  return path.replace(/[\\,]/g, '\\$&');
}

function escapeLower(path: string): string {
  return escapeOption(path).replace(/:/g, '\\:');
}
