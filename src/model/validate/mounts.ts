import type { HostConfig, MountRequest } from '../container.ts';
import { isEngineError } from '../../base/index.ts';
import { invalid, shown } from '../parse/invalid.ts';
import { cleanPath, isLocalPath } from '../parse/paths.ts';
import { checkTmpfsOptions } from '../parse/tmpfs.ts';
import { checkMountTarget, checkRelabel, isVolumeName, parseVolumeSpec, parseVolumesFrom, propagations } from '../parse/volume.ts';

/** What is wrong with a mount of its type; undefined: nothing. */
function faultOf(mount: MountRequest): string | undefined {
  const { Source: source, VolumeOptions: volume } = mount;
  switch (mount.Type) {
    case 'bind':
      if (mount.BindOptions?.Propagation !== undefined && !propagations.some((known) => known === mount.BindOptions?.Propagation)) {
        return `invalid propagation mode: ${shown(mount.BindOptions.Propagation)}`;
      }
      return source === '' ? 'field Source must not be empty' : absoluteFault(source);
    case 'squashfs':
    case 'erofs':
      return source === '' ? 'field Source must not be empty' : absoluteFault(source);
    case 'volume':
      if (source !== '' && !isVolumeName(source)) {
        return `"${shown(source)}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. `
          + 'If you intended to pass a host directory, use absolute path and type=bind';
      }
      if (volume?.Subpath !== undefined && source === '') return 'must not set Subpath when using anonymous volumes';
      if (volume?.Subpath !== undefined && !isLocalPath(volume.Subpath)) return 'subpath must be a relative path within the volume';
      return checkDriver(volume?.DriverConfig?.Name ?? '');
    case 'tmpfs':
      return source === '' ? undefined : 'field Source must not be specified';
    default:
      return source === '' ? 'field Source must not be empty' : undefined;
  }
}

function checkDriver(name: string): string | undefined {
  return name === '' || name === 'local' ? undefined : `volume driver "${shown(name)}" is not known: only local is`;
}

function absoluteFault(source: string): string | undefined {
  return source.startsWith('/') ? undefined : `invalid mount path: '${shown(source)}' mount path must be absolute`;
}

function extraField(mount: MountRequest): string | undefined {
  if (mount.Type !== 'bind' && mount.BindOptions !== undefined) return 'field BindOptions must not be specified';
  if (mount.Type !== 'volume' && mount.VolumeOptions !== undefined) return 'field VolumeOptions must not be specified';
  if (mount.Type !== 'tmpfs' && mount.TmpfsOptions !== undefined) return 'field TmpfsOptions must not be specified';
  return undefined;
}

/** Docker's rules for one mount; gives its cleaned target. */
function checkMount(mount: MountRequest): string {
  const fail = (why: string) => invalid(`invalid mount config for type "${mount.Type}": ${why}`);
  const extra = extraField(mount);
  if (extra !== undefined) throw fail(extra);
  if (mount.Target === '') throw fail('field Target must not be empty');
  let target: string;
  try {
    target = checkMountTarget(mount.Target);
  } catch (error) {
    if (!isEngineError(error)) throw error;
    throw fail(error.message);
  }
  const fault = faultOf(mount);
  if (fault !== undefined) throw fail(fault);
  if (mount.Consistency !== undefined && !['default', 'consistent', 'cached', 'delegated'].includes(mount.Consistency)) {
    throw fail(`invalid consistency: ${shown(mount.Consistency)}`);
  }
  if (mount.BindOptions?.Selinux !== undefined) checkRelabel(cleanPath(mount.Source));
  const { SizeBytes: size = 0, Mode: mode = 0 } = mount.TmpfsOptions ?? {};
  if (size < 0) throw fail(`invalid size ${size}`);
  if (mode < 0 || mode > 0o7777) throw fail(`invalid mode ${mode.toString(8)}`);
  return target;
}

/**
 * Everything of a HostConfig that is mounted. Two of the same kind at one place are an error; a --mount over a --volume is not: the
 * mount comes later and covers it (guide 1.3.1.3).
 */
export function checkMounts(hostConfig: HostConfig, volumes: Record<string, unknown> | null): void {
  const seen = { binds: new Set<string>(), mounts: new Set<string>(), tmpfs: new Set<string>() };
  const add = (target: string, kind: keyof typeof seen, against: (keyof typeof seen)[]): void => {
    if (against.some((other) => seen[other].has(target))) throw invalid(`Duplicate mount point: ${shown(target)}`);
    seen[kind].add(target);
  };
  for (const [target, options] of Object.entries(hostConfig.Tmpfs)) {
    checkTmpfsOptions(options);
    add(checkMountTarget(target), 'tmpfs', ['tmpfs']);
  }
  for (const bind of hostConfig.Binds) {
    const spec = parseVolumeSpec(bind);
    if (spec.selinux !== '' && spec.source.startsWith('/')) checkRelabel(cleanPath(spec.source));
    add(spec.target, 'binds', ['binds', 'tmpfs']);
  }
  for (const mount of hostConfig.Mounts) add(checkMount(mount), 'mounts', ['mounts', 'tmpfs']);
  for (const target of Object.keys(volumes ?? {})) checkMountTarget(target);
  for (const from of hostConfig.VolumesFrom) parseVolumesFrom(from);
  const fault = checkDriver(hostConfig.VolumeDriver);
  if (fault !== undefined) throw invalid(fault);
}
