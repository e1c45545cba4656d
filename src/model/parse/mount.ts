import { EngineError } from '../../base/index.ts';
import type { MountRequest, MountType } from '../container.ts';
import { parseBytes } from './bytes.ts';
import { parseCsv } from './csv.ts';
import { cut, invalid, shown } from './invalid.ts';

const mountTypes: readonly MountType[] = ['bind', 'volume', 'tmpfs', 'squashfs', 'erofs', 'image'];
/** Longest `--mount` that is read. */
const maxMountLength = 64 * 1024;

export function isMountType(text: string): text is MountType {
  return mountTypes.some((known) => known === text);
}

/** Options that may stand without a value. */
const flags = ['readonly', 'ro', 'volume-nocopy', 'bind-create-src'];

function parseFlag(key: string, value: string | undefined): boolean {
  if (value === undefined || value === '1' || value === 'true') return true;
  if (value === '0' || value === 'false') return false;
  const want = 'must be one of "true", "1", "false", or "0" (default "true")';
  throw invalid(`invalid value for '${key}': invalid boolean value ("${shown(value)}"): ${want}`);
}

function addPair(target: Record<string, string> | undefined, pair: string): Record<string, string> {
  const { before, after } = cut(pair, '=');
  return before === '' ? target ?? {} : Object.fromEntries([...Object.entries(target ?? {}), [before, after ?? '']]);
}

function setBindOption(mount: MountRequest, key: string, value: string, given: string | undefined): void {
  const options = (mount.BindOptions ??= {});
  switch (key) {
    case 'bind-propagation':
      options.Propagation = value.toLowerCase();
      return;
    case 'bind-create-src':
      options.CreateMountpoint = parseFlag(key, given);
      return;
    case 'bind-selinux-opts':
      if (value !== 'z' && value !== 'Z') throw invalid(`invalid value for ${key}: ${shown(value)} (must be "z" or "Z")`);
      options.Selinux = value;
      return;
    case 'bind-recursive':
      if (value === 'disabled') options.NonRecursive = true;
      else if (value === 'writable' || value === 'readonly') throw new EngineError('unsupported', `${key}=${value} is not supported`);
      else if (value !== 'enabled') {
        throw invalid(`invalid value for ${key}: ${shown(value)} (must be "enabled", "disabled", "writable", or "readonly")`);
      }
      return;
    default:
      throw invalid('bind-nonrecursive is deprecated, use bind-recursive=disabled instead');
  }
}

function setVolumeOption(mount: MountRequest, key: string, value: string, given: string | undefined): void {
  const options = (mount.VolumeOptions ??= {});
  switch (key) {
    case 'volume-nocopy':
      options.NoCopy = parseFlag(key, given);
      return;
    case 'volume-subpath':
      options.Subpath = value;
      return;
    case 'volume-label':
      options.Labels = addPair(options.Labels, value);
      return;
    case 'volume-driver':
      options.DriverConfig = { Name: value, Options: options.DriverConfig?.Options ?? {} };
      return;
    default:
      options.DriverConfig = { Name: options.DriverConfig?.Name ?? '', Options: addPair(options.DriverConfig?.Options, value) };
  }
}

function setTmpfsOption(mount: MountRequest, key: string, value: string): void {
  const options = (mount.TmpfsOptions ??= {});
  if (key === 'tmpfs-size') {
    try {
      options.SizeBytes = parseBytes(value);
    } catch {
      throw invalid(`invalid value for ${key}: ${shown(value)}`);
    }
  } else {
    if (!/^[0-7]{1,10}$/.test(value) || Number.parseInt(value, 8) > 0o7777) throw invalid(`invalid value for ${key}: ${shown(value)}`);
    options.Mode = Number.parseInt(value, 8);
  }
}

function setOption(mount: MountRequest, key: string, given: string | undefined, field: string): void {
  const value = given ?? '';
  switch (key) {
    case 'type': {
      const type = value.toLowerCase();
      if (!isMountType(type)) throw invalid(`invalid mount config for type "${shown(type)}": mount type unknown`);
      mount.Type = type;
      return;
    }
    case 'source': case 'src':
      mount.Source = value;
      return;
    case 'target': case 'dst': case 'destination':
      mount.Target = value;
      return;
    case 'readonly': case 'ro':
      mount.ReadOnly = parseFlag(key, given);
      return;
    case 'consistency':
      mount.Consistency = value.toLowerCase();
      return;
    case 'bind-propagation': case 'bind-create-src': case 'bind-selinux-opts': case 'bind-recursive': case 'bind-nonrecursive':
      return setBindOption(mount, key, value, given);
    case 'volume-nocopy': case 'volume-subpath': case 'volume-label': case 'volume-driver': case 'volume-opt':
      return setVolumeOption(mount, key, value, given);
    case 'tmpfs-size': case 'tmpfs-mode':
      return setTmpfsOption(mount, key, value);
    case 'image-subpath':
      throw new EngineError('unsupported', 'image-subpath is not supported');
    default:
      throw invalid(`unknown option '${shown(key)}' in '${shown(field)}'`);
  }
}

/** @throws invalidArgument when options of one type are given to a mount of another. */
function checkMountOptions(mount: MountRequest): void {
  const parts = [
    ['bind', mount.BindOptions], ['volume', mount.VolumeOptions], ['tmpfs', mount.TmpfsOptions],
  ] as const;
  for (const [type, options] of parts) {
    if (options !== undefined && mount.Type !== type) throw invalid(`cannot mix '${type}-*' options with mount type '${mount.Type}'`);
  }
}

/**
 * One `--mount` (docker's grammar: CSV of key=value; guide table 1-4: also type squashfs; erofs alike). Without `type` it is a volume.
 * A relative source is the caller's to make absolute.
 */
export function parseMount(text: string): MountRequest {
  const trimmed = text.trim();
  if (trimmed === '') throw invalid('value is empty');
  if (trimmed.length > maxMountLength) throw invalid(`invalid mount: longer than ${maxMountLength} characters`);
  const mount: MountRequest = { Type: 'volume', Source: '', Target: '', ReadOnly: false };
  for (const field of parseCsv(trimmed)) {
    const { before, after } = cut(field, '=');
    if (before.trim() !== before) throw invalid(`invalid option '${shown(before.trim())}' in '${shown(field)}': option should not have whitespace`);
    const key = before.toLowerCase();
    if (after === undefined && !flags.includes(key)) throw invalid(`invalid field '${shown(field)}' must be a key=value pair`);
    if (after !== undefined && after.trim() === '') throw invalid(`invalid value for '${shown(before)}': value is empty`);
    if (after !== undefined && after.trim() !== after) {
      throw invalid(`invalid value for '${shown(before)}' in '${shown(field)}': value should not have whitespace`);
    }
    setOption(mount, key, after, field);
  }
  checkMountOptions(mount);
  return mount;
}
