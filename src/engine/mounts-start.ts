import { chmodSync, closeSync, constants, mkdirSync, openSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError, errnoOf, messageOf } from '../base/index.ts';
import { bindMount, mountOf, O_PATH, openat2, readMounts, RESOLVE_IN_ROOT, umountAll } from '../linux/index.ts';
import { checkRelabel } from '../model/index.ts';
import type { ResolvedMount } from '../runtime/index.ts';
import type { VolumeService } from '../volumes/index.ts';
import { mountByProgram } from './mount-program.ts';
import type { PlannedMount } from './mounts.ts';

export interface StartMountsRequest {
  readonly container: string;
  readonly mounts: readonly PlannedMount[];
  /** The container's root file system, mounted. */
  readonly rootfs: string;
  /** A directory of this container under the state root, for mounts that are made first and bound then. */
  readonly directory: string;
  /** The container never ran: empty volumes are filled from the image. */
  readonly firstStart: boolean;
  readonly volumes: Pick<VolumeService, 'mount' | 'unmount' | 'copyUp'>;
  /** Gives a source the container's SELinux label (`z`, `Z`); undefined: the host has no SELinux and labels mean nothing. */
  readonly relabel: ((path: string, shared: boolean) => Promise<void>) | undefined;
}

/** Makes a container's mounts ready for its start: sources exist, volumes and image files are mounted. `stopMounts` undoes it, also half of it. */
export async function startMounts(request: StartMountsRequest): Promise<ResolvedMount[]> {
  const resolved: ResolvedMount[] = [];
  for (const [index, mount] of request.mounts.entries()) {
    const common = { target: mount.target, readOnly: mount.readOnly, propagation: mount.propagation, options: [...mount.options] };
    if (mount.type === 'tmpfs') resolved.push({ type: 'tmpfs', source: '', ...common });
    else if (mount.type === 'bind') resolved.push({ type: 'bind', source: await bindSource(request, mount), ...common });
    else if (mount.type === 'volume') resolved.push({ type: 'volume', source: await volumeSource(request, mount, index), ...common });
    else resolved.push({ type: 'image', source: await imageSource(request, mount, index), ...common });
  }
  return resolved;
}

/**
 * After a run, a failed start, or a crash: undoes what `startMounts` made. Needs nothing that only the memory of the daemon that
 * started the run knows, and may be repeated. Must come before the directory is deleted: what is mounted in it is the user's.
 */
export async function stopMounts(request: Pick<StartMountsRequest, 'container' | 'mounts' | 'directory' | 'volumes'>): Promise<void> {
  const { container, mounts, directory, volumes } = request;
  if (mounts.some(needsPlace)) {
    const left = readMounts().filter((entry) => entry.mountPoint.startsWith(`${directory}/`));
    for (const { mountPoint } of left.reverse()) umountAll(mountPoint);
    rmSync(directory, { recursive: true, force: true });
  }
  for (const mount of mounts) if (mount.type === 'volume') await volumes.unmount(mount.source, container);
}

/** Mounted under `directory` first. */
function needsPlace(mount: PlannedMount): boolean {
  return mount.subpath !== '' || mount.type === 'squashfs' || mount.type === 'erofs';
}

async function bindSource(request: StartMountsRequest, mount: PlannedMount): Promise<string> {
  try {
    statSync(mount.source);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw new EngineError('internal', `Cannot mount ${mount.source}: ${messageOf(error)}`, { cause: error });
    if (!mount.createSource) {
      throw new EngineError('invalidArgument', `invalid mount config for type "bind": bind source path does not exist: ${mount.source}`);
    }
    makeSource(mount.source);
  }
  checkPropagation(mount);
  await relabel(request, mount, mount.source);
  return mount.source;
}

function makeSource(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
    chmodSync(path, 0o755);
  } catch (error) {
    throw new EngineError('internal', `error while creating mount source path '${path}': ${messageOf(error)}`, { cause: error });
  }
}

/** Propagation needs a source that propagates: the kernel would accept and do nothing. */
function checkPropagation({ source, propagation }: PlannedMount): void {
  const wantsShared = propagation === 'shared' || propagation === 'rshared';
  const wantsSlave = propagation === 'slave' || propagation === 'rslave';
  if (!wantsShared && !wantsSlave) return;
  const entry = mountOf(realpathSync(source));
  const marks = entry?.propagation ?? [];
  const isShared = marks.some((mark) => mark.startsWith('shared:'));
  if (isShared || (wantsSlave && marks.some((mark) => mark.startsWith('master:')))) return;
  throw new EngineError(
    'invalidArgument',
    `path ${source} is mounted on ${entry?.mountPoint ?? '/'} but it is not a ${wantsShared ? 'shared' : 'shared or slave'} mount`,
  );
}

async function relabel(request: StartMountsRequest, mount: PlannedMount, path: string): Promise<void> {
  if (mount.selinux === '' || request.relabel === undefined) return;
  const real = realpathSync(path);
  // Judged at create already, but a link may lead elsewhere now.
  checkRelabel(real);
  await request.relabel(real, mount.selinux === 'z');
}

async function volumeSource(request: StartMountsRequest, mount: PlannedMount, index: number): Promise<string> {
  const { volumes, container } = request;
  const data = await volumes.mount(mount.source, container);
  if (mount.copyUp && request.firstStart) {
    try {
      await volumes.copyUp(mount.source, request.rootfs, mount.target);
    } catch (error) {
      throw new EngineError(
        'internal',
        `Cannot fill volume ${mount.source} from ${mount.target} of the image: ${messageOf(error)}`, { cause: error },
      );
    }
  }
  await relabel(request, mount, data);
  return mount.subpath === '' ? data : subpathSource(request, mount, data, index);
}

/**
 * A part of a volume. Whoever writes to the volume could swap a directory for a link between a look and the mount: the place is
 * opened inside the volume, bound by its descriptor to a place of ours, and that is what the runtime mounts.
 */
function subpathSource(request: StartMountsRequest, mount: PlannedMount, data: string, index: number): string {
  const root = openSync(data, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    let fd: number;
    try {
      fd = openat2(root, mount.subpath, O_PATH, RESOLVE_IN_ROOT);
    } catch (error) {
      throw new EngineError(
        'invalidArgument',
        `Cannot access subpath ${mount.subpath} of volume ${mount.source}: ${messageOf(error)}`, { cause: error },
      );
    }
    try {
      const source = `/proc/self/fd/${fd}`;
      const target = makePlace(request, index, statSync(source).isDirectory());
      bindMount(source, target);
      return target;
    } finally {
      closeSync(fd);
    }
  } finally {
    closeSync(root);
  }
}

/** A mount point of our own. */
function makePlace(request: StartMountsRequest, index: number, isDirectory: boolean): string {
  const place = join(request.directory, String(index));
  mkdirSync(request.directory, { recursive: true, mode: 0o700 });
  umountAll(place);
  if (isDirectory) mkdirSync(place, { recursive: true, mode: 0o755 });
  else writeFileSync(place, '');
  return place;
}

/** A squashfs or erofs image file (`--mount type=squashfs`): mount(8) finds the loop device, which goes with the mount. */
async function imageSource(request: StartMountsRequest, mount: PlannedMount, index: number): Promise<string> {
  let isFile = false;
  try {
    isFile = statSync(mount.source).isFile();
  } catch (error) {
    throw new EngineError('invalidArgument', `invalid mount config for type "${mount.type}": ${messageOf(error)}`, { cause: error });
  }
  if (!isFile) throw new EngineError('invalidArgument', `invalid mount config for type "${mount.type}": ${mount.source} is no regular file`);
  const place = makePlace(request, index, true);
  await mountByProgram(`${mount.type} image`, mount.source, place, { type: mount.type, flags: 'ro,nodev,loop' });
  return place;
}
