import { EngineError } from '../../base/index.ts';
import type { HostConfig } from '../container.ts';
import { hugePageName, isBlkioWeight } from '../parse/blkio.ts';
import { parseBytes } from '../parse/bytes.ts';
import { parseCpuset } from '../parse/cpuset.ts';
import { checkBlockDevicePath } from '../parse/device.ts';
import { invalid, shown } from '../parse/invalid.ts';
import { checkUlimit } from '../parse/ulimit.ts';
import type { ValidationFacts } from './facts.ts';

/** The guide's smallest limit of memory (tables 1-2 and 4-2: 4 MB). */
const minMemoryBytes = 4 * 1024 * 1024;

/** Docker's default: as much swap as memory (guide table 4-2). */
export function defaultMemorySwap(memory: number): number {
  return memory > 2 ** 62 ? -1 : memory * 2;
}

type Resources = Pick<
  HostConfig,
  | 'CpuShares' | 'Memory' | 'NanoCpus' | 'BlkioWeight' | 'BlkioWeightDevice' | 'BlkioDeviceReadBps' | 'BlkioDeviceWriteBps' | 'BlkioDeviceReadIOps'
  | 'BlkioDeviceWriteIOps' | 'CpuPeriod' | 'CpuQuota' | 'CpuRealtimePeriod' | 'CpuRealtimeRuntime' | 'CpusetCpus' | 'CpusetMems' | 'KernelMemory'
  | 'KernelMemoryTCP' | 'MemoryReservation' | 'MemorySwap' | 'MemorySwappiness' | 'OomKillDisable' | 'PidsLimit' | 'FilesLimit' | 'Hugetlbs'
  | 'Ulimits'
>;

function checkMemory(resources: Resources, isUpdate: boolean): void {
  const { Memory: memory, MemorySwap: swap, MemoryReservation: reservation, MemorySwappiness: swappiness } = resources;
  if (memory !== 0 && memory < minMemoryBytes) throw invalid('Minimum memory limit allowed is 4MB');
  if (swap < -1) throw invalid(`Invalid value ${swap} for memory swap: want -1 for no limit, or a size`);
  if (memory > 0 && swap > 0 && swap < memory) throw invalid('Minimum memoryswap limit should be larger than memory limit, see usage');
  if (memory === 0 && swap > 0 && !isUpdate) throw invalid('You should always set the Memory limit when using Memoryswap limit, see usage');
  if (reservation !== 0 && reservation < minMemoryBytes) throw invalid('Minimum memory reservation allowed is 4MB');
  if (memory > 0 && reservation > 0 && memory < reservation) {
    throw invalid('Minimum memory limit can not be less than memory reservation limit, see usage');
  }
  if (swappiness !== null && swappiness !== -1 && (swappiness < 0 || swappiness > 100)) {
    throw invalid(`Invalid value: ${swappiness}, valid memory swappiness range is 0-100`);
  }
  if (resources.KernelMemory < 0 || resources.KernelMemoryTCP < 0) throw invalid('Invalid value for kernel memory: must not be negative');
}

function checkCpu(resources: Resources, facts: ValidationFacts | undefined): void {
  const { NanoCpus: nano, CpuPeriod: period, CpuQuota: quota, CpuShares: shares } = resources;
  if (nano !== 0 && period !== 0) throw invalid('Conflicting options: Nano CPUs and CPU Period cannot both be set');
  if (nano !== 0 && quota !== 0) throw invalid('Conflicting options: Nano CPUs and CPU Quota cannot both be set');
  if (nano < 0) throw invalid('Invalid value for CPUs: must not be negative');
  if (nano > 0 && facts !== undefined && nano > facts.cpus * 1e9) {
    throw invalid(`range of CPUs is from 0.01 to ${facts.cpus}.00, as there are only ${facts.cpus} CPUs available`);
  }
  // The kernel counts in microseconds, 1000 at least, of a period of 100 ms.
  if (nano > 0 && nano < 0.01 * 1e9) throw invalid(`range of CPUs is from 0.01 to ${facts?.cpus ?? 'the number of CPUs'}`);
  if (shares < 0) throw invalid(`invalid CPU shares (${shares}): value must be a positive integer`);
  if (period !== 0 && (period < 1000 || period > 1_000_000)) {
    throw invalid('CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)');
  }
  if (quota < -1 || (quota > 0 && quota < 1000)) throw invalid('CPU cfs quota can not be less than 1ms (i.e. 1000)');
  const { CpuRealtimePeriod: rtPeriod, CpuRealtimeRuntime: rtRuntime } = resources;
  if (rtPeriod < 0 || rtRuntime < 0) throw invalid('cpu real-time period and runtime must not be negative');
  if (rtPeriod !== 0 && rtRuntime > rtPeriod) throw invalid('cpu real-time runtime cannot be higher than cpu real-time period');
}

function indicesOf(text: string, what: string): number[] {
  try {
    return parseCpuset(text);
  } catch {
    throw invalid(`Invalid value ${shown(text)} for cpuset ${what}`);
  }
}

function checkCpusets(resources: Resources, facts: ValidationFacts | undefined): void {
  const wanted = indicesOf(resources.CpusetCpus, 'cpus');
  indicesOf(resources.CpusetMems, 'mems');
  // Guide 1.3.3.2: the range is the number of the host's CPUs.
  if (facts === undefined || wanted.every((index) => index < facts.cpus)) return;
  throw invalid(`Requested CPUs are not available - requested ${shown(resources.CpusetCpus)}, available: 0-${facts.cpus - 1}`);
}

function checkBlockIo(resources: Resources): void {
  if (!isBlkioWeight(resources.BlkioWeight)) throw invalid('Range of blkio weight is from 10 to 1000');
  for (const { Path, Weight } of resources.BlkioWeightDevice) {
    checkBlockDevicePath(Path);
    if (!isBlkioWeight(Weight)) throw invalid(`invalid weight for device: ${shown(Path)}:${Weight}`);
  }
  const throttles = [
    ...resources.BlkioDeviceReadBps, ...resources.BlkioDeviceWriteBps, ...resources.BlkioDeviceReadIOps, ...resources.BlkioDeviceWriteIOps,
  ];
  for (const { Path, Rate } of throttles) {
    checkBlockDevicePath(Path);
    if (Rate < 0) throw invalid(`invalid rate for device: ${shown(Path)}:${Rate}. Number must be a positive integer`);
  }
}

function checkOthers(resources: Resources): void {
  if (resources.PidsLimit < -1) throw invalid(`Invalid value ${resources.PidsLimit} for the pids limit: want -1 or 0 for no limit, or a number`);
  for (const { PageSize, Limit } of resources.Hugetlbs) {
    if (Limit < 0) throw invalid(`invalid hugetlb limit ${Limit}: must not be negative`);
    if (PageSize !== '') hugePageName(parseBytes(PageSize));
  }
  const names = new Set<string>();
  for (const ulimit of resources.Ulimits) {
    checkUlimit(ulimit);
    if (names.has(ulimit.Name)) throw invalid(`ulimit ${ulimit.Name} is given twice`);
    names.add(ulimit.Name);
  }
}

/** Ranges and combinations that hold on every host. `isUpdate`: what is not in the update may already be set. */
export function checkResources(resources: Resources, facts: ValidationFacts | undefined, isUpdate: boolean): void {
  checkMemory(resources, isUpdate);
  checkCpu(resources, facts);
  checkCpusets(resources, facts);
  checkBlockIo(resources);
  checkOthers(resources);
}

/**
 * What this host's cgroups cannot do: as in docker most of it is taken out of `resources`, with a warning for the user; what must not be
 * missed silently (CPUs, files, huge pages, realtime) is refused.
 */
export function dropUnsupported(resources: Resources, facts: ValidationFacts): string[] {
  const warnings: string[] = [];
  const { controllers, version } = facts.cgroup;
  const drop = (isAsked: boolean, canDo: boolean, what: string, take: () => void): void => {
    if (!isAsked || canDo) return;
    warnings.push(`Your kernel does not support ${what}`);
    take();
  };
  const has = (v1: string, v2 = v1): boolean => controllers.has(version === 1 ? v1 : v2);
  drop(resources.Memory > 0, has('memory'), 'memory limit capabilities or the cgroup is not mounted. Limitation discarded.', () => {
    resources.Memory = 0;
    resources.MemorySwap = 0;
  });
  drop(resources.MemoryReservation > 0, has('memory'), 'memory soft limit capabilities or the cgroup is not mounted. Limitation discarded.', () => {
    resources.MemoryReservation = 0;
  });
  const swappiness = resources.MemorySwappiness !== null && resources.MemorySwappiness !== -1;
  const swappinessWords = 'memory swappiness capabilities or the cgroup is not mounted. Memory swappiness discarded.';
  drop(swappiness, version === 1 && has('memory'), swappinessWords, () => {
    resources.MemorySwappiness = null;
  });
  drop(resources.OomKillDisable, version === 1 && has('memory'), 'OomKillDisable. OomKillDisable discarded.', () => {
    resources.OomKillDisable = false;
  });
  drop(resources.PidsLimit > 0, has('pids'), 'PIDs limit capabilities or the cgroup is not mounted. PIDs limit discarded.', () => {
    resources.PidsLimit = 0;
  });
  drop(resources.CpuShares > 0, has('cpu'), 'CPU shares or the cgroup is not mounted. Shares discarded.', () => {
    resources.CpuShares = 0;
  });
  drop(resources.CpuPeriod !== 0 || resources.CpuQuota !== 0, has('cpu'), 'CPU CFS scheduler. CPU period/quota discarded.', () => {
    resources.CpuPeriod = 0;
    resources.CpuQuota = 0;
  });
  drop(resources.CpusetCpus !== '' || resources.CpusetMems !== '', has('cpuset'), 'cpuset or the cgroup is not mounted. Cpuset discarded.', () => {
    resources.CpusetCpus = '';
    resources.CpusetMems = '';
  });
  drop(resources.BlkioWeight > 0 || resources.BlkioWeightDevice.length > 0, has('blkio', 'io'),
    'Block I/O weight or the cgroup is not mounted. Weight discarded.', () => {
      resources.BlkioWeight = 0;
      resources.BlkioWeightDevice = [];
    });
  for (const [key, what] of throttleWords) {
    drop(resources[key].length > 0, has('blkio', 'io'), `${what} limit or the cgroup is not mounted. Block I/O limit discarded.`, () => {
      resources[key] = [];
    });
  }
  refuseUnsupported(resources, facts);
  return warnings;
}

const throttleWords = [
  ['BlkioDeviceReadBps', 'BPS Block I/O read'], ['BlkioDeviceWriteBps', 'BPS Block I/O write'],
  ['BlkioDeviceReadIOps', 'IOPS Block read'], ['BlkioDeviceWriteIOps', 'IOPS Block write'],
] as const;

function refuseUnsupported(resources: Resources, { cgroup: { controllers, version } }: ValidationFacts): void {
  if (resources.NanoCpus > 0 && !controllers.has('cpu')) {
    throw new EngineError('unsupported', 'NanoCPUs can not be set, as your kernel does not support CPU CFS scheduler or the cgroup is not mounted');
  }
  if ((resources.CpuRealtimePeriod !== 0 || resources.CpuRealtimeRuntime !== 0) && (version === 2 || !controllers.has('cpu'))) {
    throw new EngineError('unsupported', 'kernel does not support CPU real-time scheduler');
  }
  if (resources.FilesLimit > 0 && !controllers.has('files')) {
    throw new EngineError('unsupported', 'files limit can not be set: the files cgroup is not available on this host');
  }
  if (resources.Hugetlbs.length > 0 && !controllers.has('hugetlb')) {
    throw new EngineError('unsupported', 'hugetlb limit can not be set: the hugetlb cgroup is not available on this host');
  }
}
