import { parseHugetlbLimit, parseThrottleBps, parseThrottleIops, parseWeightDevice } from '../parse/blkio.ts';
import { parseBytes, parseBytesOrUnlimited } from '../parse/bytes.ts';
import { parseCpus } from '../parse/cpus.ts';
import { parseCpuset } from '../parse/cpuset.ts';
import { parseRestartPolicy } from '../parse/restart.ts';
import { parseUlimit } from '../parse/ulimit.ts';
import type { ContainerOption } from './types.ts';
import { hostNumber, hostSwitch, option, parseInt64, refused, resourceNumber } from './values.ts';

const everywhere = ['create', 'run', 'update'] as const;

function cpusetOption(name: string, key: 'CpusetCpus' | 'CpusetMems', help: string): ContainerOption {
  const check = (value: string): string => {
    parseCpuset(value);
    return value;
  };
  return {
    ...option(name, 'string', help, (value, { hostConfig }) => {
      hostConfig[key] = check(value);
    }),
    appliesTo: everywhere,
    update: (value, update) => {
      update[key] = check(value);
    },
  };
}

type ThrottleKey = 'BlkioDeviceReadBps' | 'BlkioDeviceWriteBps' | 'BlkioDeviceReadIOps' | 'BlkioDeviceWriteIOps';

function throttleOption(name: string, key: ThrottleKey, help: string, parse: typeof parseThrottleBps): ContainerOption {
  return {
    ...option(name, 'list', help, (value, { hostConfig }) => {
      hostConfig[key].push(parse(value));
    }),
    appliesTo: everywhere,
    update: (value, update) => {
      (update[key] ??= []).push(parse(value));
    },
  };
}

const bytes = { metavar: 'bytes' };

/** CPU, memory, block I/O, processes and files: guide 1.3.3 and table 4-3. */
export const resourceOptions: readonly ContainerOption[] = [
  resourceNumber('cpu-period', 'CpuPeriod', 'Length of a CFS period in microseconds, 1000 to 1000000', parseInt64),
  resourceNumber('cpu-quota', 'CpuQuota', 'CPU time per CFS period in microseconds, from 1000; -1: no limit', parseInt64),
  resourceNumber('cpu-rt-period', 'CpuRealtimePeriod', 'Length of a real-time period in microseconds', parseInt64),
  resourceNumber('cpu-rt-runtime', 'CpuRealtimeRuntime', 'Real-time CPU time per period in microseconds', parseInt64),
  resourceNumber('cpu-shares', 'CpuShares', 'Relative weight of CPU time (1024 is the kernel\'s default)', parseInt64, { short: 'c' }),
  resourceNumber('cpus', 'NanoCpus', 'Number of CPUs, such as 1.5', parseCpus, { metavar: 'decimal' }),
  cpusetOption('cpuset-cpus', 'CpusetCpus', 'CPUs that may be used, such as 0-3 or 0,1'),
  cpusetOption('cpuset-mems', 'CpusetMems', 'Memory nodes that may be used, such as 0-3 or 0,1'),
  resourceNumber('memory', 'Memory', 'Limit of memory, at least 4m', parseBytes, { short: 'm', ...bytes }),
  resourceNumber('memory-reservation', 'MemoryReservation', 'Soft limit of memory, at least 4m and not above --memory', parseBytes, bytes),
  resourceNumber('memory-swap', 'MemorySwap', 'Limit of memory and swap together; -1: no limit of swap', parseBytesOrUnlimited, bytes),
  resourceNumber('kernel-memory', 'KernelMemory', 'Limit of kernel memory; no longer supported by kernels, a warning says so', parseBytes, bytes),
  option('memory-swappiness', 'int', 'Readiness to swap, 0 to 100; -1: the system\'s', (value, { hostConfig }) => {
    const swappiness = parseInt64(value);
    hostConfig.MemorySwappiness = swappiness === -1 ? null : swappiness;
  }, { default: '-1' }),
  hostSwitch('oom-kill-disable', 'OomKillDisable', 'Suspend instead of killing when memory runs out (cgroup v1)'),
  hostNumber('oom-score-adj', 'OomScoreAdj', 'Preference of the OOM killer, -1000 to 1000', parseInt64),
  resourceNumber('pids-limit', 'PidsLimit', 'Most processes and threads; 0 or -1: no limit', parseInt64),
  resourceNumber('files-limit', 'FilesLimit', 'Most open files (needs the files cgroup); 0 or -1: no limit', parseInt64, { since: 'isula' }),
  resourceNumber('blkio-weight', 'BlkioWeight', 'Relative weight of block I/O, 10 to 1000; 0: not set', parseInt64, { metavar: 'uint16' }),
  {
    ...option('blkio-weight-device', 'list', 'Relative weight of block I/O on one device: /dev/x:weight', (value, { hostConfig }) => {
      hostConfig.BlkioWeightDevice.push(parseWeightDevice(value));
    }),
    appliesTo: everywhere,
    update: (value, update) => {
      (update.BlkioWeightDevice ??= []).push(parseWeightDevice(value));
    },
  },
  throttleOption('device-read-bps', 'BlkioDeviceReadBps', 'Limit of reading from a device in bytes per second: /dev/x:1mb', parseThrottleBps),
  throttleOption('device-write-bps', 'BlkioDeviceWriteBps', 'Limit of writing to a device in bytes per second: /dev/x:1mb', parseThrottleBps),
  throttleOption('device-read-iops', 'BlkioDeviceReadIOps', 'Limit of read operations per second on a device: /dev/x:1000', parseThrottleIops),
  throttleOption('device-write-iops', 'BlkioDeviceWriteIOps', 'Limit of write operations per second on a device: /dev/x:1000', parseThrottleIops),
  {
    ...option('hugetlb-limit', 'list', 'Limit of huge pages: [page size:]limit, such as 2MB:32MB', (value, { hostConfig }) => {
      hostConfig.Hugetlbs.push(parseHugetlbLimit(value));
    }, { since: 'isula' }),
    appliesTo: everywhere,
    update: (value, update) => {
      (update.Hugetlbs ??= []).push(parseHugetlbLimit(value));
    },
  },
  option('ulimit', 'list', 'Limit of the container\'s processes: type=soft[:hard]', (value, { hostConfig }) => {
    const ulimit = parseUlimit(value);
    // As in docker the last one of a type counts.
    hostConfig.Ulimits = [...hostConfig.Ulimits.filter((other) => other.Name !== ulimit.Name), ulimit];
  }, { metavar: 'ulimit' }),
  hostNumber('shm-size', 'ShmSize', 'Size of /dev/shm (64m by default)', parseBytes, bytes),
  {
    ...option('restart', 'string', 'When to start it again: no, always, unless-stopped, on-failure[:times]', (value, { hostConfig }) => {
      hostConfig.RestartPolicy = parseRestartPolicy(value);
    }, { default: 'no', values: ['no', 'always', 'on-failure', 'unless-stopped', 'on-reboot'] }),
    appliesTo: everywhere,
    update: (value, update) => {
      update.RestartPolicy = parseRestartPolicy(value);
    },
  },
  // Table 4-3 lists it; its accelerators are hardware that no host here has.
  refused('accel', 'list', 'there is no accelerator', { appliesTo: everywhere, since: 'isula' }),
  ...['cpu-count', 'cpu-percent', 'io-maxbandwidth', 'io-maxiops'].map((name) => refused(name, 'string', 'it is an option of Windows')),
];
