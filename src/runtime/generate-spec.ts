import { lstatSync, readdirSync, realpathSync, statSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { EngineError, errnoOf, messageOf } from '../base/index.ts';
import type { SeccompFilter } from '../linux/index.ts';
import { parseSecurityOpts, type DeviceMapping, type HostConfig } from '../model/index.ts';
import {
  containerCapabilities, defaultSeccompProfile, loadSeccompProfile, parseSeccompProfile, resolveSeccomp, type SeccompProfile,
} from '../security/index.ts';
import { assembleSpec, type GeneratedSpec } from './spec.ts';
import { throttleLists } from './spec-resources.ts';
import type { HostFacts, ResolvedDevice, SpecInput } from './types.ts';

/** The administrator's default profile (guide 1.3.9.1.3); where it is missing, the built-in one counts. */
const defaultProfilePath = '/etc/isulad/seccomp_default.json';
const deviceDepthLimit = 8;
const devicesLimit = 8192;
/** Of /dev, what the container has of its own. */
const ownDevDirs = new Set(['pts', 'shm', 'fd', 'mqueue', '.lxc', '.lxd-mounts', '.udev', 'console']);

/**
 * The specification of a container: looks up what it needs of the host (device numbers, the seccomp profile) and leaves the rest
 * to the pure `assembleSpec`.
 * @throws invalidArgument, unsupported.
 */
export function generateSpec(input: SpecInput, facts: HostFacts): GeneratedSpec {
  const { hostConfig } = input;
  if (hostConfig.DeviceRequests.length > 0) {
    const capabilities = hostConfig.DeviceRequests.flatMap((request) => request.Capabilities).flat();
    throw new EngineError('unsupported', `could not select device driver "" with capabilities: [[${capabilities.join(' ')}]]`);
  }
  const devices = resolveDevices(hostConfig);
  return assembleSpec(input, { devices, blockDevices: resolveBlockDevices(hostConfig), seccomp: resolveFilter(hostConfig, facts) }, facts);
}

/**
 * Whether devices, disks and the seccomp profile that are asked for are what the options need, so that a container that could never
 * start is not made. @throws invalidArgument, unsupported
 */
export function checkHostWishes(hostConfig: HostConfig, facts: HostFacts): void {
  for (const mapping of hostConfig.Devices) devicesOf(mapping);
  resolveBlockDevices(hostConfig);
  if (hostConfig.SecurityOpt.length > 0) resolveFilter(hostConfig, facts);
}

function resolveDevices(hostConfig: HostConfig): ResolvedDevice[] {
  const byPath = new Map<string, ResolvedDevice>();
  if (hostConfig.Privileged) for (const device of hostDevices()) byPath.set(device.path, device);
  for (const mapping of hostConfig.Devices) for (const device of devicesOf(mapping)) byPath.set(device.path, device);
  return [...byPath.values()];
}

/** All devices of the host, for --privileged. */
function hostDevices(): ResolvedDevice[] {
  const found: ResolvedDevice[] = [];
  for (const name of readdirSync('/dev')) {
    if (!ownDevDirs.has(name)) collect(join('/dev', name), join('/dev', name), 'rwm', 1, found);
  }
  return found;
}

/** One --device: a device, a link to one, or a directory of them. */
function devicesOf(mapping: DeviceMapping): ResolvedDevice[] {
  const { PathOnHost } = mapping;
  const target = mapping.PathInContainer === '' ? PathOnHost : mapping.PathInContainer;
  const access = mapping.CgroupPermissions === '' ? 'rwm' : mapping.CgroupPermissions;
  if (!/^[rwm]{1,3}$/.test(access)) throw new EngineError('invalidArgument', `invalid device mode: ${access.slice(0, 32)}`);
  const wrong = (what: string, cause?: unknown): EngineError => (
    new EngineError('invalidArgument', `error gathering device information while adding custom device "${PathOnHost}": ${what}`, { cause })
  );
  let real: string;
  let stat: Stats;
  try {
    real = realpathSync(PathOnHost);
    stat = statSync(real);
  } catch (error) {
    throw wrong(whyNot(error), error);
  }
  const device = deviceOf(target, stat, access);
  if (device) return [device];
  const found: ResolvedDevice[] = [];
  if (stat.isDirectory()) collect(real, target, access, 1, found);
  if (found.length === 0) throw wrong('not a device node');
  return found;
}

function whyNot(error: unknown): string {
  return errnoOf(error) === 'ENOENT' ? 'no such file or directory' : messageOf(error);
}

function collect(path: string, target: string, access: string, depth: number, found: ResolvedDevice[]): void {
  if (found.length >= devicesLimit) throw new EngineError('tooLarge', `Cannot add the devices below ${path}: more than ${devicesLimit}`);
  let stat: Stats;
  try {
    stat = lstatSync(path);
    if (stat.isDirectory() && depth <= deviceDepthLimit) {
      for (const name of readdirSync(path)) if (!ownDevDirs.has(name)) collect(join(path, name), join(target, name), access, depth + 1, found);
    }
  } catch (error) {
    // A device may be unplugged while we look.
    if (errnoOf(error) === 'ENOENT') return;
    throw error;
  }
  const device = deviceOf(target, stat, access);
  if (device) found.push(device);
}

function deviceOf(path: string, stat: Stats, access: string): ResolvedDevice | undefined {
  const type = stat.isCharacterDevice() ? 'c' : stat.isBlockDevice() ? 'b' : undefined;
  if (type === undefined) return undefined;
  return { path, type, ...splitDevice(stat.rdev), fileMode: stat.mode & 0o7777, uid: stat.uid, gid: stat.gid, access };
}

/** A dev_t as the C library packs it: 12 low bits of the major at 8, 8 low bits of the minor at 0, the rest above. */
function splitDevice(device: number): { major: number; minor: number } {
  const bits = BigInt(device);
  return { major: Number(((bits >> 8n) & 0xfffn) | ((bits >> 32n) & 0xfffff000n)), minor: Number((bits & 0xffn) | ((bits >> 12n) & 0xffffff00n)) };
}

/** Numbers of the disks that the blkio options name. @throws invalidArgument for what is no block device. */
export function resolveBlockDevices(hostConfig: HostConfig): Map<string, { major: number; minor: number }> {
  const found = new Map<string, { major: number; minor: number }>();
  const paths = [...hostConfig.BlkioWeightDevice, ...throttleLists.flatMap(([option]) => hostConfig[option])].map(({ Path }) => Path);
  for (const path of paths) {
    let stat: Stats;
    try {
      stat = statSync(path);
    } catch (error) {
      throw new EngineError('invalidArgument', `Cannot limit block device ${path}: ${whyNot(error)}`, { cause: error });
    }
    if (!stat.isBlockDevice()) throw new EngineError('invalidArgument', `Cannot limit block device ${path}: it is not a block device`);
    found.set(path, splitDevice(stat.rdev));
  }
  return found;
}

let administrators: { stamp: string; profile: SeccompProfile } | undefined;

/** The default profile in force, read again when its file changes. */
function currentDefaultProfile(): SeccompProfile {
  const stat = statSync(defaultProfilePath, { throwIfNoEntry: false });
  if (!stat) return defaultSeccompProfile();
  const stamp = `${stat.dev}:${stat.ino}:${stat.mtimeMs}:${stat.size}`;
  if (administrators?.stamp !== stamp) administrators = { stamp, profile: loadSeccompProfile(defaultProfilePath) };
  return administrators.profile;
}

function resolveFilter(hostConfig: HostConfig, facts: HostFacts): SeccompFilter | undefined {
  const wish = parseSecurityOpts(hostConfig.SecurityOpt).seccomp;
  if (wish?.kind === 'unconfined') return undefined;
  if (!facts.seccompSupported) {
    if (wish) throw new EngineError('unsupported', 'Cannot use a seccomp profile: seccomp is not enabled in your kernel');
    return undefined;
  }
  // A privileged container is not filtered unless a profile is asked for.
  if (hostConfig.Privileged && !wish) return undefined;
  const { CapAdd: add, CapDrop: drop, Privileged: privileged } = hostConfig;
  const capabilities = new Set(containerCapabilities({ add, drop, privileged }));
  return resolveSeccomp(wishedProfile(wish), { architecture: facts.architecture, kernelRelease: facts.kernelRelease, capabilities });
}

function wishedProfile(wish: ReturnType<typeof parseSecurityOpts>['seccomp']): SeccompProfile {
  if (wish?.kind === 'file') return loadSeccompProfile(wish.path);
  if (wish?.kind === 'json') return parseSeccompProfile(wish.text);
  return wish?.kind === 'builtin' ? defaultSeccompProfile() : currentDefaultProfile();
}
