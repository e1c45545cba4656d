import { readFile } from 'node:fs/promises';
import { formatTime, nowMs, zeroTime } from '../base/index.ts';
import type { CgroupStats, HostFacts } from '../runtime/index.ts';

/** Docker samples once a second. */
const sampleIntervalMs = 1000;
/** /proc counts in ticks of 1/100 s (USER_HZ, the same on every architecture the kernel still has). */
const nanosPerTick = 1e7;

/** The CPU time that all of the host's CPUs had so far, ns, and how many are online. */
export interface HostCpu {
  readonly totalNanos: number;
  readonly online: number;
}

/** Docker's system time: the first seven or eight columns of the `cpu` line (user … steal), guests being counted in user already. */
export function parseHostCpu(procStat: string): HostCpu {
  let totalNanos = 0;
  let online = 0;
  for (const line of procStat.split('\n')) {
    if (!line.startsWith('cpu')) break;
    if (line.startsWith('cpu ')) {
      for (const ticks of line.trim().split(/\s+/).slice(1, 8)) totalNanos += Number(ticks) * nanosPerTick;
    } else online++;
  }
  return { totalNanos, online };
}

export interface InterfaceCounters {
  rx_bytes: number;
  rx_packets: number;
  rx_errors: number;
  rx_dropped: number;
  tx_bytes: number;
  tx_packets: number;
  tx_errors: number;
  tx_dropped: number;
}

/** /proc/<pid>/net/dev: every interface but the loopback. */
export function parseNetDev(text: string): Record<string, InterfaceCounters> {
  const interfaces: Record<string, InterfaceCounters> = {};
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(colon, 0)).trim();
    if (name === '' || name === 'lo') continue;
    const counts = line.slice(colon + 1).trim().split(/\s+/).map(Number);
    const at = (column: number): number => counts[column] ?? 0;
    interfaces[name] = {
      rx_bytes: at(0), rx_packets: at(1), rx_errors: at(2), rx_dropped: at(3),
      tx_bytes: at(8), tx_packets: at(9), tx_errors: at(10), tx_dropped: at(11),
    };
  }
  return interfaces;
}

/** One look at a running container. */
export interface StatsSample {
  /** ms since the epoch. */
  readonly readAt: number;
  readonly cgroup: CgroupStats;
  readonly host: HostCpu;
  /** Undefined: the container has no network namespace of its own. */
  readonly networks: Record<string, InterfaceCounters> | undefined;
}

function cpuStats(sample: StatsSample | undefined): Record<string, unknown> {
  const cgroup = sample?.cgroup;
  return {
    cpu_usage: { total_usage: cgroup?.cpuTotal ?? 0, usage_in_kernelmode: cgroup?.cpuKernel ?? 0, usage_in_usermode: cgroup?.cpuUser ?? 0 },
    ...(sample === undefined ? {} : { system_cpu_usage: sample.host.totalNanos, online_cpus: sample.host.online }),
    throttling_data: {
      periods: cgroup?.throttlingPeriods ?? 0, throttled_periods: cgroup?.throttledPeriods ?? 0, throttled_time: cgroup?.throttledTime ?? 0,
    },
  };
}

function memoryStats(cgroup: CgroupStats, facts: Pick<HostFacts, 'cgroup' | 'memoryBytes'>): Record<string, unknown> {
  // A container without a limit has the host's memory.
  const limit = cgroup.memoryLimit <= 0 || cgroup.memoryLimit > facts.memoryBytes ? facts.memoryBytes : cgroup.memoryLimit;
  const common = { usage: cgroup.memoryUsage, stats: cgroup.memoryStat, limit };
  return facts.cgroup.version === 2 ? common : { ...common, max_usage: cgroup.memoryMaxUsage, failcnt: cgroup.memoryFailcnt };
}

/**
 * Docker's stats document (moby: ContainerStatsResponse). `sample` undefined: the container does not run. Clients compute CPU
 * percent from cpu_stats and precpu_stats, memory as usage without (total_)inactive_file.
 */
export function statsDocument(
  container: { id: string; name: string },
  sample: StatsSample | undefined,
  previous: StatsSample | undefined,
  facts: Pick<HostFacts, 'cgroup' | 'memoryBytes'>,
): Record<string, unknown> {
  const cgroup = sample?.cgroup;
  const pidsLimit = cgroup !== undefined && cgroup.pidsLimit > 0 && Number.isFinite(cgroup.pidsLimit) ? { limit: cgroup.pidsLimit } : {};
  return {
    name: `/${container.name}`,
    id: container.id,
    read: sample === undefined ? zeroTime : formatTime(sample.readAt),
    preread: previous === undefined ? zeroTime : formatTime(previous.readAt),
    pids_stats: cgroup === undefined ? {} : { current: cgroup.pidsCurrent, ...pidsLimit },
    blkio_stats: {
      io_service_bytes_recursive: cgroup?.blkio.map(({ major, minor, op, value }) => ({ major, minor, op, value })) ?? null,
      io_serviced_recursive: null, io_queue_recursive: null, io_service_time_recursive: null, io_wait_time_recursive: null,
      io_merged_recursive: null, io_time_recursive: null, sectors_recursive: null,
    },
    num_procs: 0,
    storage_stats: {},
    cpu_stats: cpuStats(sample),
    precpu_stats: cpuStats(previous),
    memory_stats: cgroup === undefined ? {} : memoryStats(cgroup, facts),
    ...(sample?.networks === undefined ? {} : { networks: sample.networks }),
  };
}

/** What `streamStats` asks of the engine. */
export interface StatsTarget {
  readonly facts: Pick<HostFacts, 'cgroup' | 'memoryBytes'>;
  /** What is true of the container now; undefined once it is removed. */
  look(): { id: string; name: string; running: { cgroup: CgroupStats; pid: number; ownNetwork: boolean } | undefined } | undefined;
}

/** Many watchers sample in the same second: the host's times are read once for all that ask within this many ms. */
const hostCpuFreshMs = 50;
let hostCpuRead: { at: number; value: Promise<HostCpu> } | undefined;

function readHostCpu(): Promise<HostCpu> {
  const now = performance.now();
  if (hostCpuRead === undefined || now - hostCpuRead.at > hostCpuFreshMs) {
    hostCpuRead = { at: now, value: readFile('/proc/stat', 'utf8').then(parseHostCpu) };
  }
  return hostCpuRead.value;
}

async function readNetworks(pid: number): Promise<Record<string, InterfaceCounters> | undefined> {
  try {
    return parseNetDev(await readFile(`/proc/${pid}/net/dev`, 'utf8'));
  } catch {
    // The process has just ended.
    return undefined;
  }
}

async function takeSample(running: { cgroup: CgroupStats; pid: number; ownNetwork: boolean }): Promise<StatsSample> {
  const readAt = nowMs();
  const [host, networks] = await Promise.all([readHostCpu(), running.ownNetwork ? readNetworks(running.pid) : undefined]);
  return { readAt, cgroup: running.cgroup, host, networks };
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
    if (signal.aborted) done();
  });
}

/**
 * GET /containers/{id}/stats: a document each second until the signal, or until the container is removed; one when `stream`
 * is false, after a second sample so that its CPU share can be computed, unless `oneShot` is true. A container that does not
 * run gives a document of zeros.
 */
export async function* streamStats(
  target: StatsTarget, options: { stream: boolean; oneShot: boolean }, signal: AbortSignal, intervalMs = sampleIntervalMs,
): AsyncGenerator<Record<string, unknown>> {
  let previous: StatsSample | undefined;
  while (!signal.aborted) {
    const now = target.look();
    if (now === undefined) return;
    const sample = now.running === undefined ? undefined : await takeSample(now.running);
    const complete = options.stream || options.oneShot || sample === undefined || previous !== undefined;
    if (complete) yield statsDocument(now, sample, sample === undefined ? undefined : previous, target.facts);
    if (complete && !options.stream) return;
    previous = sample;
    await pause(intervalMs, signal);
  }
}
