import { EngineError } from '../base/index.ts';
import { parseDeviceCgroupRule, type HostConfig } from '../model/index.ts';
import type { HostFacts, ResolvedHost } from './types.ts';

/** One rule of the devices cgroup (runtime-spec: linux.resources.devices). */
interface DeviceRule {
  allow: boolean;
  type?: 'a' | 'b' | 'c';
  major?: number;
  minor?: number;
  access: string;
}

/** Docker's period where --cpus asks for a quota. */
const cpuPeriodUs = 100_000;

/** What every container may use: making nodes of any device, and the usual devices (null, zero, full, tty, random, urandom, ptmx, pts, console). */
const standardRules: DeviceRule[] = [
  { allow: false, access: 'rwm' },
  { allow: true, type: 'c', access: 'm' },
  { allow: true, type: 'b', access: 'm' },
  ...[[1, 3], [1, 5], [1, 7], [5, 0], [1, 8], [1, 9], [5, 2], [5, 1]].map(([major, minor]): DeviceRule => (
    { allow: true, type: 'c', major: major ?? 0, minor: minor ?? 0, access: 'rwm' }
  )),
  { allow: true, type: 'c', major: 136, access: 'rwm' },
];

/** linux.devices and linux.resources.devices. */
export function specDevices(hostConfig: HostConfig, host: ResolvedHost): { nodes: object[]; rules: DeviceRule[] } {
  const nodes = host.devices.map(({ path, type, major, minor, fileMode, uid, gid }) => ({ path, type, major, minor, fileMode, uid, gid }));
  if (hostConfig.Privileged) return { nodes, rules: [{ allow: true, access: 'rwm' }] };
  const own = host.devices.map(({ type, major, minor, access }): DeviceRule => ({ allow: true, type, major, minor, access }));
  return { nodes, rules: [...standardRules, ...own, ...hostConfig.DeviceCgroupRules.map(ruleOf)] };
}

function ruleOf(text: string): DeviceRule {
  const { type, major, minor, permissions: access } = parseDeviceCgroupRule(text);
  return { allow: true, access, type, ...(major === undefined ? {} : { major }), ...(minor === undefined ? {} : { minor }) };
}

/** linux.resources without the devices: v1 words, which the runtimes translate on a v2 host. */
export function specResources(hostConfig: HostConfig, host: ResolvedHost, facts: HostFacts, warnings: string[]): Record<string, unknown> {
  const resources: Record<string, unknown> = {};
  const put = (name: string, value: Record<string, unknown>): void => {
    if (Object.keys(value).length > 0) resources[name] = value;
  };
  put('cpu', cpuResources(hostConfig, facts, warnings));
  put('memory', memoryResources(hostConfig, facts, warnings));
  put('blockIO', blockIoResources(hostConfig, host, facts, warnings));
  if (hostConfig.PidsLimit > 0) {
    if (facts.cgroup.controllers.has('pids')) resources.pids = { limit: hostConfig.PidsLimit };
    else warnings.push('Your kernel does not support PIDs limit capabilities or the cgroup is not mounted. PIDs limit discarded.');
  }
  const pages = hugepageLimits(hostConfig, facts);
  if (pages.length > 0) resources.hugepageLimits = pages;
  if (hostConfig.FilesLimit > 0) {
    if (!facts.cgroup.controllers.has('files')) throw new EngineError('unsupported', 'Cannot set --files-limit: this host has no files cgroup');
    resources.files = { limit: hostConfig.FilesLimit };
  }
  return resources;
}

function cpuResources(hostConfig: HostConfig, facts: HostFacts, warnings: string[]): Record<string, unknown> {
  const cpu: Record<string, unknown> = {};
  const { controllers } = facts.cgroup;
  if (hostConfig.CpusetCpus !== '' || hostConfig.CpusetMems !== '') {
    if (!controllers.has('cpuset')) warnings.push('Your kernel does not support cpuset or the cgroup is not mounted. Cpuset discarded.');
    else {
      if (hostConfig.CpusetCpus !== '') cpu.cpus = hostConfig.CpusetCpus;
      if (hostConfig.CpusetMems !== '') cpu.mems = hostConfig.CpusetMems;
    }
  }
  const { quota, period } = cpuBandwidth(hostConfig);
  const wanted = { shares: hostConfig.CpuShares, quota, period };
  for (const [name, value] of Object.entries(wanted)) {
    // A new cgroup has no quota; crun 1.8 cannot write -1.
    if (value === 0 || (name === 'quota' && value < 0)) continue;
    if (!controllers.has('cpu')) warnings.push(`Your kernel does not support CPU ${name} or the cgroup is not mounted. CPU ${name} discarded.`);
    else cpu[name] = value;
  }
  if (hostConfig.CpuRealtimePeriod !== 0 || hostConfig.CpuRealtimeRuntime !== 0) {
    if (!facts.cgroupFeatures.has('cpuRealtime')) {
      const why = 'your kernel does not support CPU real-time scheduling in cgroups';
      throw new EngineError('unsupported', `Cannot set --cpu-rt-period or --cpu-rt-runtime: ${why}`);
    }
    if (hostConfig.CpuRealtimePeriod !== 0) cpu.realtimePeriod = hostConfig.CpuRealtimePeriod;
    if (hostConfig.CpuRealtimeRuntime !== 0) cpu.realtimeRuntime = hostConfig.CpuRealtimeRuntime;
  }
  return cpu;
}

/** Quota and period in microseconds, 0 where not set; --cpus is a quota of docker's period. */
export function cpuBandwidth(hostConfig: HostConfig): { quota: number; period: number } {
  if (hostConfig.NanoCpus <= 0) return { quota: hostConfig.CpuQuota, period: hostConfig.CpuPeriod };
  return { quota: Math.floor((hostConfig.NanoCpus * cpuPeriodUs) / 1e9), period: cpuPeriodUs };
}

/** Memory plus swap: as given, else docker's default of twice the memory; 0: not set, -1: no limit. */
export function memorySwapBytes(hostConfig: HostConfig): number {
  if (hostConfig.MemorySwap !== 0) return hostConfig.MemorySwap;
  return hostConfig.Memory > 0 ? hostConfig.Memory * 2 : 0;
}

function memoryResources(hostConfig: HostConfig, facts: HostFacts, warnings: string[]): Record<string, unknown> {
  const memory: Record<string, unknown> = {};
  const { cgroup, cgroupFeatures } = facts;
  if (hostConfig.KernelMemory > 0 || hostConfig.KernelMemoryTCP > 0) {
    warnings.push('Specifying a kernel memory limit is deprecated and not supported by your kernel. Kernel memory limit discarded.');
  }
  const wanted = hostConfig.Memory !== 0 || hostConfig.MemoryReservation !== 0;
  if (wanted && !cgroup.controllers.has('memory')) {
    warnings.push('Your kernel does not support memory limit capabilities or the cgroup is not mounted. Limitation discarded.');
    return memory;
  }
  if (hostConfig.Memory !== 0) memory.limit = hostConfig.Memory;
  if (hostConfig.MemoryReservation > 0) memory.reservation = hostConfig.MemoryReservation;
  const swap = memorySwapBytes(hostConfig);
  if (swap !== 0) {
    if (cgroupFeatures.has('swap')) memory.swap = swap;
    else warnings.push('Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory limited without swap.');
  }
  const swappiness = hostConfig.MemorySwappiness;
  if (swappiness !== null && swappiness !== -1) {
    if (cgroupFeatures.has('swappiness')) memory.swappiness = swappiness;
    else warnings.push('Your kernel does not support memory swappiness capabilities or the cgroup is not mounted. Memory swappiness discarded.');
  }
  if (hostConfig.OomKillDisable) {
    if (cgroupFeatures.has('oomKillDisable')) memory.disableOOMKiller = true;
    else warnings.push('Your kernel does not support OomKillDisable. OomKillDisable discarded.');
  }
  return memory;
}

/** The four lists of throttles, with the names of the runtime specification. */
export const throttleLists = [
  ['BlkioDeviceReadBps', 'throttleReadBpsDevice'], ['BlkioDeviceWriteBps', 'throttleWriteBpsDevice'],
  ['BlkioDeviceReadIOps', 'throttleReadIOPSDevice'], ['BlkioDeviceWriteIOps', 'throttleWriteIOPSDevice'],
] as const;

function blockIoResources(hostConfig: HostConfig, host: ResolvedHost, facts: HostFacts, warnings: string[]): Record<string, unknown> {
  const io: Record<string, unknown> = {};
  const supported = facts.cgroup.controllers.has(facts.cgroup.version === 1 ? 'blkio' : 'io');
  if (hostConfig.BlkioWeight !== 0) {
    if (facts.cgroupFeatures.has('blkioWeight')) io.weight = hostConfig.BlkioWeight;
    else warnings.push('Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded.');
  }
  if (hostConfig.BlkioWeightDevice.length > 0) {
    if (facts.cgroupFeatures.has('blkioWeightDevice')) {
      io.weightDevice = hostConfig.BlkioWeightDevice.map(({ Path, Weight }) => ({ ...deviceNumbers(host, Path), weight: Weight }));
    } else warnings.push('Your kernel does not support Block I/O weight_device. Weight-device discarded.');
  }
  for (const [option, name] of throttleLists) {
    const list = hostConfig[option].filter(({ Rate }) => Rate > 0);
    if (list.length === 0) continue;
    if (supported) io[name] = list.map(({ Path, Rate }) => ({ ...deviceNumbers(host, Path), rate: Rate }));
    else warnings.push(`Your kernel does not support Block I/O throttling or the cgroup is not mounted. ${option} discarded.`);
  }
  return io;
}

/** @throws internal when the caller did not look the device up. */
function deviceNumbers(host: Pick<ResolvedHost, 'blockDevices'>, path: string): { major: number; minor: number } {
  const found = host.blockDevices.get(path);
  if (!found) throw new EngineError('internal', `Block device ${path} was not looked up`);
  return found;
}

/** Sizes as the kernel names them, each at most once. */
export function hugepageLimits(hostConfig: HostConfig, facts: Pick<HostFacts, 'cgroup' | 'hugepageSizes'>): { pageSize: string; limit: number }[] {
  if (hostConfig.Hugetlbs.length === 0) return [];
  if (!facts.cgroup.controllers.has('hugetlb')) throw new EngineError('unsupported', 'Cannot set --hugetlb-limit: this host has no hugetlb cgroup');
  return hostConfig.Hugetlbs.map(({ PageSize, Limit }) => {
    const pageSize = PageSize === '' ? facts.hugepageSizes[0] : facts.hugepageSizes.find((size) => size === normalPageSize(PageSize));
    if (pageSize === undefined) {
      throw new EngineError('invalidArgument', `Invalid hugepage size ${PageSize}: this host has ${facts.hugepageSizes.join(', ') || 'none'}`);
    }
    return { pageSize, limit: Limit };
  });
}

/** `2M`, `2mb`, `2048K` -> `2MB`. */
function normalPageSize(text: string): string {
  const match = /^(\d+)\s*([kmg])i?b?$/i.exec(text.trim());
  if (!match) return text;
  const kilobytes = Number(match[1]) * 1024 ** 'KMG'.indexOf(match[2]?.toUpperCase() ?? 'K');
  if (kilobytes % (1024 * 1024) === 0) return `${kilobytes / (1024 * 1024)}GB`;
  return kilobytes % 1024 === 0 ? `${kilobytes / 1024}MB` : `${kilobytes}KB`;
}
