import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { EngineError } from '../base/index.ts';
import { applyCgroupWrites, cgroupDir, type CgroupLayout, type CgroupWrite } from '../linux/index.ts';
import type { HostConfig } from '../model/index.ts';
import { resolveBlockDevices } from './generate-spec.ts';
import { blkioWeightFile } from './own-limits.ts';
import { cpuBandwidth, hugepageLimits, memorySwapBytes } from './spec-resources.ts';
import type { HostFacts } from './types.ts';

/** cpu.shares 2..262144 -> cpu.weight 1..10000 (the mapping that crun and runc use). */
export function cpuWeightOfShares(shares: number): number {
  return Math.max(1, Math.min(10_000, Math.floor(1 + ((Math.max(2, shares) - 2) * 9999) / 262_142)));
}

/** Applies a container's limits to its live cgroup, all or none. What is not set in `hostConfig` stays as it is. */
export function updateResources(facts: HostFacts, cgroupPath: string, hostConfig: HostConfig): void {
  const writes = facts.cgroup.version === 2 ? writesV2(facts, cgroupPath, hostConfig) : writesV1(facts, cgroupPath, hostConfig);
  applyCgroupWrites(writes);
}

function read(path: string): string {
  return existsSync(path) ? readFileSync(path, 'latin1').trim() : '';
}

/** A limit as a number: `max` and -1 are Infinity. */
function limitOf(text: string): number {
  return text === 'max' || text === '-1' || text === '' ? Infinity : Number(text);
}

class Writes {
  readonly list: CgroupWrite[] = [];

  constructor(readonly layout: CgroupLayout, readonly cgroupPath: string) {}

  path(controller: string, file: string, what: string): string {
    const dir = cgroupDir(this.layout, controller, this.cgroupPath);
    if (dir === undefined) throw new EngineError('unsupported', `Cannot set ${what}: this host has no ${controller} cgroup`);
    return join(dir, file);
  }

  add(controller: string, file: string, value: string | number, what: string, undo?: string): void {
    const write: CgroupWrite = { path: this.path(controller, file, what), value: String(value), what };
    this.list.push(undo === undefined ? write : { ...write, undo });
  }
}

function refuseBelowUsage(what: string, limit: number, usage: string): void {
  if (usage !== '' && limit >= 0 && Number(usage) > limit) {
    throw new EngineError('conflict', `Cannot set ${what} to ${limit}: the container uses ${usage} now`);
  }
}

function writesV1(facts: HostFacts, cgroupPath: string, hostConfig: HostConfig): CgroupWrite[] {
  const writes = new Writes(facts.cgroup, cgroupPath);
  if (hostConfig.CpuShares > 0) writes.add('cpu', 'cpu.shares', hostConfig.CpuShares, '--cpu-shares');
  const { quota, period } = cpuBandwidth(hostConfig);
  // A quota must not be less than a new period allows at any moment: lifted first, the order does not matter.
  if (period > 0) writes.add('cpu', 'cpu.cfs_period_us', period, '--cpu-period');
  if (quota !== 0) writes.add('cpu', 'cpu.cfs_quota_us', quota, hostConfig.NanoCpus > 0 ? '--cpus' : '--cpu-quota');
  if (hostConfig.CpuRealtimePeriod > 0) writes.add('cpu', 'cpu.rt_period_us', hostConfig.CpuRealtimePeriod, '--cpu-rt-period');
  if (hostConfig.CpuRealtimeRuntime > 0) writes.add('cpu', 'cpu.rt_runtime_us', hostConfig.CpuRealtimeRuntime, '--cpu-rt-runtime');
  addCpuset(writes, hostConfig);
  addMemoryV1(writes, facts, hostConfig);
  addPids(writes, hostConfig);
  addBlkioV1(writes, facts, hostConfig);
  addHugepages(writes, facts, hostConfig, 'limit_in_bytes');
  if (hostConfig.FilesLimit > 0) writes.add('files', 'files.limit', hostConfig.FilesLimit, '--files-limit');
  return writes.list;
}

function addCpuset(writes: Writes, hostConfig: HostConfig): void {
  if (hostConfig.CpusetCpus !== '') writes.add('cpuset', 'cpuset.cpus', hostConfig.CpusetCpus, '--cpuset-cpus');
  if (hostConfig.CpusetMems !== '') writes.add('cpuset', 'cpuset.mems', hostConfig.CpusetMems, '--cpuset-mems');
}

function addPids(writes: Writes, hostConfig: HostConfig): void {
  const { PidsLimit } = hostConfig;
  if (!writes.layout.controllers.has('pids')) return;
  if (PidsLimit > 0) refuseBelowUsage('--pids-limit', PidsLimit, read(writes.path('pids', 'pids.current', '--pids-limit')));
  writes.add('pids', 'pids.max', PidsLimit > 0 ? PidsLimit : 'max', '--pids-limit');
}

/** Memory may never be more than memory plus swap: what is raised, is raised from the top. */
function addMemoryV1(writes: Writes, facts: HostFacts, hostConfig: HostConfig): void {
  if (hostConfig.MemoryReservation > 0) writes.add('memory', 'memory.soft_limit_in_bytes', hostConfig.MemoryReservation, '--memory-reservation');
  const swap = facts.cgroupFeatures.has('swap') ? memorySwapBytes(hostConfig) : 0;
  const addMemory = (): void => {
    if (hostConfig.Memory > 0) writes.add('memory', 'memory.limit_in_bytes', hostConfig.Memory, '--memory');
  };
  const addSwap = (): void => {
    if (swap !== 0) writes.add('memory', 'memory.memsw.limit_in_bytes', swap, '--memory-swap');
  };
  const now = swap === 0 ? 0 : limitOf(read(writes.path('memory', 'memory.memsw.limit_in_bytes', '--memory-swap')));
  if (swap === -1 || swap >= now) {
    addSwap();
    addMemory();
  } else {
    addMemory();
    addSwap();
  }
}

const throttleFilesV1 = [
  ['BlkioDeviceReadBps', 'blkio.throttle.read_bps_device', '--device-read-bps'],
  ['BlkioDeviceWriteBps', 'blkio.throttle.write_bps_device', '--device-write-bps'],
  ['BlkioDeviceReadIOps', 'blkio.throttle.read_iops_device', '--device-read-iops'],
  ['BlkioDeviceWriteIOps', 'blkio.throttle.write_iops_device', '--device-write-iops'],
] as const;

function addBlkioV1(writes: Writes, facts: HostFacts, hostConfig: HostConfig): void {
  const weightFile = (name: 'weight' | 'weight_device'): string => basename(blkioWeightFile(writes.layout, writes.cgroupPath, name));
  if (hostConfig.BlkioWeight > 0 && facts.cgroupFeatures.has('blkioWeight')) {
    writes.add('blkio', weightFile('weight'), hostConfig.BlkioWeight, '--blkio-weight');
  }
  const numbers = resolveBlockDevices(hostConfig);
  const device = (path: string): string => `${numbers.get(path)?.major ?? 0}:${numbers.get(path)?.minor ?? 0}`;
  if (facts.cgroupFeatures.has('blkioWeightDevice')) {
    for (const { Path, Weight } of hostConfig.BlkioWeightDevice) {
      writes.add('blkio', weightFile('weight_device'), `${device(Path)} ${Weight}`, '--blkio-weight-device', `${device(Path)} 0`);
    }
  }
  for (const [option, file, what] of throttleFilesV1) {
    for (const { Path, Rate } of hostConfig[option]) {
      const before = read(writes.path('blkio', file, what)).split('\n').find((line) => line.startsWith(`${device(Path)} `));
      writes.add('blkio', file, `${device(Path)} ${Rate}`, what, before ?? `${device(Path)} 0`);
    }
  }
}

function addHugepages(writes: Writes, facts: HostFacts, hostConfig: HostConfig, suffix: string): void {
  for (const { pageSize, limit } of hugepageLimits(hostConfig, facts)) {
    writes.add('hugetlb', `hugetlb.${pageSize}.${suffix}`, limit, '--hugetlb-limit');
  }
}

function writesV2(facts: HostFacts, cgroupPath: string, hostConfig: HostConfig): CgroupWrite[] {
  const writes = new Writes(facts.cgroup, cgroupPath);
  if (hostConfig.CpuShares > 0) writes.add('', 'cpu.weight', cpuWeightOfShares(hostConfig.CpuShares), '--cpu-shares');
  const { quota, period } = cpuBandwidth(hostConfig);
  if (quota !== 0 || period > 0) {
    const [nowQuota = 'max', nowPeriod = '100000'] = read(writes.path('', 'cpu.max', '--cpus')).split(' ');
    const wanted = quota > 0 ? String(quota) : quota < 0 ? 'max' : nowQuota;
    writes.add('', 'cpu.max', `${wanted} ${period > 0 ? period : nowPeriod}`, hostConfig.NanoCpus > 0 ? '--cpus' : '--cpu-quota');
  }
  addCpuset(writes, hostConfig);
  addMemoryV2(writes, facts, hostConfig);
  addPids(writes, hostConfig);
  addIoV2(writes, facts, hostConfig);
  addHugepages(writes, facts, hostConfig, 'max');
  return writes.list;
}

function addMemoryV2(writes: Writes, facts: HostFacts, hostConfig: HostConfig): void {
  const { Memory } = hostConfig;
  // memory.max below the usage does not fail as on v1: it kills.
  if (Memory > 0) refuseBelowUsage('--memory', Memory, read(writes.path('', 'memory.current', '--memory')));
  if (hostConfig.MemoryReservation > 0) writes.add('', 'memory.low', hostConfig.MemoryReservation, '--memory-reservation');
  if (Memory > 0) writes.add('', 'memory.max', Memory, '--memory');
  const total = memorySwapBytes(hostConfig);
  if (total === 0 || !facts.cgroupFeatures.has('swap')) return;
  // v2 counts swap alone.
  writes.add('', 'memory.swap.max', total < 0 ? 'max' : Math.max(0, total - Math.max(0, Memory)), '--memory-swap');
}

const ioKeysV2 = [
  ['BlkioDeviceReadBps', 'rbps', '--device-read-bps'], ['BlkioDeviceWriteBps', 'wbps', '--device-write-bps'],
  ['BlkioDeviceReadIOps', 'riops', '--device-read-iops'], ['BlkioDeviceWriteIOps', 'wiops', '--device-write-iops'],
] as const;

function addIoV2(writes: Writes, facts: HostFacts, hostConfig: HostConfig): void {
  if (hostConfig.BlkioWeight > 0 && facts.cgroupFeatures.has('blkioWeight')) {
    const bfq = existsSync(writes.path('', 'io.bfq.weight', '--blkio-weight'));
    // io.weight 1..10000 for a blkio weight of 10..1000 (the runtimes' mapping); bfq takes the weight as it is.
    const weight = bfq ? hostConfig.BlkioWeight : Math.floor(1 + ((hostConfig.BlkioWeight - 10) * 9999) / 990);
    writes.add('', bfq ? 'io.bfq.weight' : 'io.weight', bfq ? weight : `default ${weight}`, '--blkio-weight', bfq ? undefined : 'default 100');
  }
  const numbers = resolveBlockDevices(hostConfig);
  for (const [option, key, what] of ioKeysV2) {
    for (const { Path, Rate } of hostConfig[option]) {
      const device = `${numbers.get(Path)?.major ?? 0}:${numbers.get(Path)?.minor ?? 0}`;
      const line = read(writes.path('', 'io.max', what)).split('\n').find((each) => each.startsWith(`${device} `)) ?? '';
      const before = new RegExp(`\\b${key}=(\\w+)`).exec(line)?.[1] ?? 'max';
      writes.add('', 'io.max', `${device} ${key}=${Rate > 0 ? Rate : 'max'}`, what, `${device} ${key}=${before}`);
    }
  }
}
