import type { DeviceMapping } from '../container.ts';
import { cut, invalid, shown } from './invalid.ts';
import { cleanPath } from './paths.ts';

/** Letters of `rwm`, each at most once, not none. */
function isDeviceMode(text: string): boolean {
  return /^[rwm]{1,3}$/.test(text) && new Set(text).size === text.length;
}

/** A qualified CDI name: `vendor.com/class=name` (CDI specification, "Kind"). */
export function isCdiName(text: string): boolean {
  return text.length <= 1024
    && /^[A-Za-z][A-Za-z0-9_.-]*(?<=[A-Za-z0-9])\/[A-Za-z][A-Za-z0-9_-]*(?<=[A-Za-z0-9])=[A-Za-z0-9](?:[A-Za-z0-9_.:-]*[A-Za-z0-9])?$/.test(text);
}

/** The rules for a device of the API: absolute paths and a mode of `rwm`; an empty target or mode takes docker's default. */
export function checkDevice(device: DeviceMapping): DeviceMapping {
  const target = device.PathInContainer === '' ? device.PathOnHost : device.PathInContainer;
  const mode = device.CgroupPermissions === '' ? 'rwm' : device.CgroupPermissions;
  for (const path of [device.PathOnHost, target]) {
    if (!path.startsWith('/')) throw invalid(`${shown(path)} is not an absolute path`);
  }
  if (!isDeviceMode(mode)) throw invalid(`bad mode specified: ${shown(mode)}`);
  return { PathOnHost: cleanPath(device.PathOnHost), PathInContainer: cleanPath(target), CgroupPermissions: mode };
}

/** `host[:container][:mode]` of `--device`; a host path that is a directory stands for every device below it (the engine looks). */
export function parseDevice(text: string): DeviceMapping {
  const [host = '', second, third, ...more] = text.split(':', 5);
  if (more.length > 0 || host === '') throw invalid(`bad format for path: ${shown(text)}`);
  if (third !== undefined) {
    if (!isDeviceMode(third)) throw invalid(`bad mode specified: ${shown(third)}`);
    return checkDevice({ PathOnHost: host, PathInContainer: second ?? '', CgroupPermissions: third });
  }
  if (second === undefined || isDeviceMode(second)) return checkDevice({ PathOnHost: host, PathInContainer: '', CgroupPermissions: second ?? '' });
  if (second === '') throw invalid(`bad format for path: ${shown(text)}`);
  return checkDevice({ PathOnHost: host, PathInContainer: second, CgroupPermissions: '' });
}

export interface DeviceCgroupRule {
  type: 'a' | 'b' | 'c';
  /** Undefined: all (`*`). */
  major: number | undefined;
  minor: number | undefined;
  permissions: string;
}

/** `c 1:3 rwm`, with `*` for any number (`--device-cgroup-rule`). */
export function parseDeviceCgroupRule(text: string): DeviceCgroupRule {
  const match = /^([acb]) ([0-9]{1,10}|\*):([0-9]{1,10}|\*) ([rwm]{1,3})$/.exec(text);
  const [, type, major = '', minor = '', permissions = ''] = match ?? [];
  if (type !== 'a' && type !== 'b' && type !== 'c') throw invalid(`invalid device cgroup format '${shown(text)}'`);
  const number = (digits: string): number | undefined => (digits === '*' ? undefined : Number(digits));
  for (const digits of [major, minor]) {
    if ((number(digits) ?? 0) >= 2 ** 32) throw invalid(`invalid device cgroup format '${shown(text)}'`);
  }
  return { type, major: number(major), minor: number(minor), permissions };
}

export function formatDeviceCgroupRule(rule: DeviceCgroupRule): string {
  return `${rule.type} ${rule.major ?? '*'}:${rule.minor ?? '*'} ${rule.permissions}`;
}

/** `host:container:rw|ro:size` of `--host-channel` (guide 2.3.7). */
export function splitHostChannel(text: string): { host: string; container: string; mode: string; size: string } {
  const [host = '', container = '', mode = '', size = '', ...more] = text.split(':', 6);
  if (more.length > 0 || !host.startsWith('/') || !container.startsWith('/') || (mode !== 'rw' && mode !== 'ro') || size === '') {
    throw invalid(`invalid host channel '${shown(text)}': want <host path>:<container path>:<rw|ro>:<size limit>`);
  }
  return { host, container, mode, size };
}

/** @throws invalidArgument for a path that is not below /dev. */
export function checkBlockDevicePath(path: string): void {
  if (!path.startsWith('/dev/')) throw invalid(`bad format for device path: ${shown(path)}`);
}

/** A device path of the blkio options, and what stands behind its colon. */
export function splitBlockDevice(text: string): { path: string; value: string } {
  const { before: path, after: value } = cut(text, ':');
  if (path === '' || value === undefined) throw invalid(`bad format: ${shown(text)}`);
  if (!path.startsWith('/dev/')) throw invalid(`bad format for device path: ${shown(text)}`);
  return { path, value };
}
