import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { EngineError, errnoOf, messageOf } from '../base/index.ts';
import { DT_UNKNOWN, mountOverlay, readDirEntries, statFileSystem, umountAll } from '../linux/index.ts';
import type { Layout } from './layout.ts';

/** The first kernel whose overlay takes several lower directories. */
const kernelMajorMin = 4;

/**
 * Overlay features that a kernel may be built to use by default, switched off: each stores a change in another form than whole
 * files (a rename as a pointer, a chmod as metadata alone), and then the upper directory is no longer the layer that commit and
 * diff read. `index` would also refuse to mount an upper directory that is still mounted elsewhere.
 */
export const overlayFlags: readonly string[] = ['redirect_dir=off', 'metacopy=off', 'index=off'];

/**
 * Mounts a trial overlay, so that a file system or kernel that cannot do it is told at start and not by the first container.
 * @throws EngineError unsupported.
 */
export function checkOverlay(layout: Layout, overrideKernelCheck: boolean): void {
  const { name } = statFileSystem(layout.base);
  const refuse = (why: string, cause?: unknown) => {
    return new EngineError('unsupported', `Cannot use overlay2 on ${layout.base} (${name}): ${why}`, { cause });
  };
  if (!overrideKernelCheck && Number(release().split('.')[0]) < kernelMajorMin) {
    throw refuse(`kernel ${release()} is older than ${kernelMajorMin}.0 (overlay2.override_kernel_check=true tries it all the same)`);
  }
  const trial = layout.newStaging('check');
  const [lower, upper, work, target] = ['lower', 'upper', 'work', 'merged'].map((each) => join(trial, each));
  if (lower === undefined || upper === undefined || work === undefined || target === undefined) return;
  try {
    for (const path of [lower, upper, work, target]) mkdirSync(path);
    writeFileSync(join(lower, 'file'), 'lower');
    if (!typesEntries(lower)) throw refuse('its directories do not give file types (d_type); XFS needs ftype=1');
    try {
      mountOverlay({ lowers: [lower], upper, work, target, options: overlayFlags });
    } catch (error) {
      throw refuse(mountFailure(error), error);
    }
    if (readFileSync(join(target, 'file'), 'utf8') !== 'lower') throw refuse('an overlay mounted, and does not show its lower directory');
    writeFileSync(join(target, 'file'), 'upper');
  } finally {
    umountAll(target);
    rmSync(trial, { recursive: true, force: true });
  }
}

function typesEntries(path: string): boolean {
  const fd = openSync(path, 'r');
  try {
    return readDirEntries(fd)?.every(({ type }) => type !== DT_UNKNOWN) ?? true;
  } finally {
    closeSync(fd);
  }
}

function mountFailure(error: unknown): string {
  switch (errnoOf(error)) {
    case 'ENODEV': return 'the kernel has no overlay file system (modprobe overlay)';
    case 'EINVAL': return 'the file system cannot hold the upper directory of an overlay';
    case 'EPERM': return 'mounting is not permitted: isulad needs CAP_SYS_ADMIN';
    default: return messageOf(error);
  }
}
