import { join } from 'node:path';
import { readCgroupFile, readCgroupNumber, readCgroupPairs } from './cgroup-file.ts';
import { cgroupDir, type CgroupLayout } from './cgroup-layout.ts';

/** Numbers of one moment, zero where the controller is missing. Times in nanoseconds, sizes in bytes. */
export interface CgroupStats {
  cpuTotal: number;
  cpuKernel: number;
  cpuUser: number;
  throttlingPeriods: number;
  throttledPeriods: number;
  throttledTime: number;
  memoryUsage: number;
  memoryMaxUsage: number;
  /** Never more than the host's memory, which stands for "no limit". */
  memoryLimit: number;
  memoryFailcnt: number;
  /** Lines of memory.stat. */
  memoryStat: Record<string, number>;
  pidsCurrent: number;
  /** 0: no limit. */
  pidsLimit: number;
  blkio: BlkioEntry[];
}

export interface BlkioEntry {
  major: number;
  minor: number;
  /** `read`, `write`, … in lower case. */
  op: string;
  value: number;
}

/** cpuacct.stat counts in USER_HZ, which is 100 on every architecture: nanoseconds of one. */
const tickNs = 10_000_000;
const microsecondNs = 1000;

/** Reads a cgroup's numbers. Nothing is thrown for a cgroup that is gone: all are zero then. */
export function readCgroupStats(layout: CgroupLayout, cgroupPath: string, hostMemoryBytes: number): CgroupStats {
  const stats = layout.version === 2 ? readV2(layout, cgroupPath) : readV1(layout, cgroupPath);
  stats.memoryLimit = stats.memoryLimit === 0 ? 0 : Math.min(stats.memoryLimit, hostMemoryBytes);
  if (stats.pidsLimit === Infinity) stats.pidsLimit = 0;
  return stats;
}

function readV1(layout: CgroupLayout, cgroupPath: string): CgroupStats {
  const file = (controller: string, name: string): string => join(cgroupDir(layout, controller, cgroupPath) ?? '/nonexistent', name);
  const acct = readCgroupPairs(file('cpuacct', 'cpuacct.stat'));
  const cpu = readCgroupPairs(file('cpu', 'cpu.stat'));
  return {
    cpuTotal: readCgroupNumber(file('cpuacct', 'cpuacct.usage')),
    cpuKernel: (acct.system ?? 0) * tickNs,
    cpuUser: (acct.user ?? 0) * tickNs,
    throttlingPeriods: cpu.nr_periods ?? 0,
    throttledPeriods: cpu.nr_throttled ?? 0,
    throttledTime: cpu.throttled_time ?? 0,
    memoryUsage: readCgroupNumber(file('memory', 'memory.usage_in_bytes')),
    memoryMaxUsage: readCgroupNumber(file('memory', 'memory.max_usage_in_bytes')),
    memoryLimit: readCgroupNumber(file('memory', 'memory.limit_in_bytes')),
    memoryFailcnt: readCgroupNumber(file('memory', 'memory.failcnt')),
    memoryStat: readCgroupPairs(file('memory', 'memory.stat')),
    pidsCurrent: readCgroupNumber(file('pids', 'pids.current')),
    pidsLimit: readCgroupNumber(file('pids', 'pids.max')),
    blkio: readBlkio(file('blkio', 'blkio.bfq.io_service_bytes_recursive'), file('blkio', 'blkio.throttle.io_service_bytes_recursive')),
  };
}

/** The first file that has lines counts: which one does depends on the disk's scheduler. Lines: `8:0 Read 4096`. */
function readBlkio(...paths: string[]): BlkioEntry[] {
  for (const path of paths) {
    const entries: BlkioEntry[] = [];
    for (const line of readCgroupFile(path)?.split('\n') ?? []) {
      const match = /^(\d+):(\d+) (\w+) (\d+)$/.exec(line);
      if (match) entries.push({ major: Number(match[1]), minor: Number(match[2]), op: String(match[3]).toLowerCase(), value: Number(match[4]) });
    }
    if (entries.length > 0) return entries;
  }
  return [];
}

function readV2(layout: CgroupLayout, cgroupPath: string): CgroupStats {
  const dir = cgroupDir(layout, '', cgroupPath) ?? '/nonexistent';
  const cpu = readCgroupPairs(join(dir, 'cpu.stat'));
  return {
    cpuTotal: (cpu.usage_usec ?? 0) * microsecondNs,
    cpuKernel: (cpu.system_usec ?? 0) * microsecondNs,
    cpuUser: (cpu.user_usec ?? 0) * microsecondNs,
    throttlingPeriods: cpu.nr_periods ?? 0,
    throttledPeriods: cpu.nr_throttled ?? 0,
    throttledTime: (cpu.throttled_usec ?? 0) * microsecondNs,
    memoryUsage: readCgroupNumber(join(dir, 'memory.current')),
    memoryMaxUsage: readCgroupNumber(join(dir, 'memory.peak')),
    memoryLimit: readCgroupNumber(join(dir, 'memory.max')),
    memoryFailcnt: readCgroupPairs(join(dir, 'memory.events')).max ?? 0,
    memoryStat: readCgroupPairs(join(dir, 'memory.stat')),
    pidsCurrent: readCgroupNumber(join(dir, 'pids.current')),
    pidsLimit: readCgroupNumber(join(dir, 'pids.max')),
    blkio: readIoStat(join(dir, 'io.stat')),
  };
}

/** Lines: `8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0`. */
function readIoStat(path: string): BlkioEntry[] {
  const ops: Record<string, string> = { rbytes: 'read', wbytes: 'write', dbytes: 'discard' };
  const entries: BlkioEntry[] = [];
  for (const line of readCgroupFile(path)?.split('\n') ?? []) {
    const [device, ...pairs] = line.split(' ');
    const [major, minor] = (device ?? '').split(':').map(Number);
    if (major === undefined || minor === undefined || Number.isNaN(major) || Number.isNaN(minor)) continue;
    for (const pair of pairs) {
      const [key = '', value] = pair.split('=');
      const op = ops[key];
      if (op !== undefined) entries.push({ major, minor, op, value: Number(value) || 0 });
    }
  }
  return entries;
}

/** How many processes of this cgroup the kernel killed for want of memory (memory.oom_control, memory.events). */
export function readOomKills(layout: CgroupLayout, cgroupPath: string): number {
  const dir = cgroupDir(layout, 'memory', cgroupPath);
  if (dir === undefined) return 0;
  return readCgroupPairs(join(dir, layout.version === 2 ? 'memory.events' : 'memory.oom_control')).oom_kill ?? 0;
}
