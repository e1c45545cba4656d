import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { arch, cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { ownCapabilities, readCgroupLayout, type CgroupLayout } from '../linux/index.ts';
import { capabilitiesOfMask } from '../security/index.ts';
import type { CgroupFeature, HostFacts } from './types.ts';

/** node's names of architectures -> GOARCH, which images and profiles use. */
const goArchitectures: Record<string, string> = {
  x64: 'amd64', arm64: 'arm64', arm: 'arm', ia32: '386', ppc64: 'ppc64le', s390x: 's390x', riscv64: 'riscv64', loong64: 'loong64',
};

/** /proc/self/limits -> the names of setrlimit(2). */
const limitNames: Record<string, string> = {
  'Max cpu time': 'RLIMIT_CPU', 'Max file size': 'RLIMIT_FSIZE', 'Max data size': 'RLIMIT_DATA', 'Max stack size': 'RLIMIT_STACK',
  'Max core file size': 'RLIMIT_CORE', 'Max resident set': 'RLIMIT_RSS', 'Max processes': 'RLIMIT_NPROC', 'Max open files': 'RLIMIT_NOFILE',
  'Max locked memory': 'RLIMIT_MEMLOCK', 'Max address space': 'RLIMIT_AS', 'Max file locks': 'RLIMIT_LOCKS',
  'Max pending signals': 'RLIMIT_SIGPENDING', 'Max msgqueue size': 'RLIMIT_MSGQUEUE', 'Max nice priority': 'RLIMIT_NICE',
  'Max realtime priority': 'RLIMIT_RTPRIO', 'Max realtime timeout': 'RLIMIT_RTTIME',
};

/** What this host and this daemon's own rights allow. Reads some twenty small files; call it once. */
export function readHostFacts(): HostFacts {
  const cgroup = readCgroupLayout();
  const bounding = ownCapabilities('CapBnd') & ownCapabilities('CapEff');
  return {
    architecture: goArchitectures[arch()] ?? arch(),
    kernelRelease: release(),
    cgroup,
    cgroupFeatures: readCgroupFeatures(cgroup),
    hugepageSizes: readHugepageSizes(),
    capabilities: capabilitiesOfMask(bounding),
    rlimits: readLimits(),
    seccompSupported: existsSync('/proc/sys/kernel/seccomp/actions_avail'),
    apparmorEnabled: readText('/sys/module/apparmor/parameters/enabled').startsWith('Y') && existsSync('/sys/kernel/security/apparmor'),
    selinuxEnabled: existsSync('/sys/fs/selinux/enforce'),
    cpus: cpus().length,
    memoryBytes: totalmem(),
  };
}

function readText(path: string): string {
  return existsSync(path) ? readFileSync(path, 'latin1').trim() : '';
}

function readLimits(): Map<string, { soft: number; hard: number }> {
  const limits = new Map<string, { soft: number; hard: number }>();
  const value = (text: string | undefined): number => (text === 'unlimited' ? Infinity : Number(text));
  for (const line of readText('/proc/self/limits').split('\n')) {
    const match = /^(.+?)\s{2,}(\S+)\s+(\S+)/.exec(line);
    const name = limitNames[match?.[1] ?? ''];
    if (name !== undefined) limits.set(name, { soft: value(match?.[2]), hard: value(match?.[3]) });
  }
  return limits;
}

/** `Hugepagesize: 2048 kB` and the directories `hugepages-2048kB` of sysfs. */
function readHugepageSizes(): string[] {
  const standard = Number(/^Hugepagesize:\s+(\d+) kB$/m.exec(readText('/proc/meminfo'))?.[1] ?? 0);
  const dir = '/sys/kernel/mm/hugepages';
  const sizes = (existsSync(dir) ? readdirSync(dir) : []).map((name) => Number(/^hugepages-(\d+)kB$/.exec(name)?.[1] ?? 0));
  const inOrder = [standard, ...sizes.filter((size) => size !== standard).sort((a, b) => a - b)];
  return inOrder.filter((size) => size > 0).map(formatPageSize);
}

/** As the kernel names the hugetlb files: 2048 kB -> 2MB. */
function formatPageSize(kilobytes: number): string {
  if (kilobytes >= 1024 * 1024) return `${kilobytes / (1024 * 1024)}GB`;
  return kilobytes >= 1024 ? `${kilobytes / 1024}MB` : `${kilobytes}KB`;
}

/** Files of a feature; a root cgroup of v2 has none of them, so they are looked for in a child. */
const featureFiles: Record<1 | 2, [feature: CgroupFeature, controller: string, file: string][]> = {
  1: [
    ['swap', 'memory', 'memory.memsw.limit_in_bytes'],
    ['swappiness', 'memory', 'memory.swappiness'],
    ['oomKillDisable', 'memory', 'memory.oom_control'],
    ['blkioWeight', 'blkio', 'blkio.weight'],
    ['blkioWeight', 'blkio', 'blkio.bfq.weight'],
    ['blkioWeightDevice', 'blkio', 'blkio.weight_device'],
    ['blkioWeightDevice', 'blkio', 'blkio.bfq.weight_device'],
    ['cpuRealtime', 'cpu', 'cpu.rt_runtime_us'],
  ],
  2: [
    ['swap', 'memory', 'memory.swap.max'],
    ['blkioWeight', 'io', 'io.weight'],
    ['blkioWeight', 'io', 'io.bfq.weight'],
    ['blkioWeightDevice', 'io', 'io.weight'],
    ['blkioWeightDevice', 'io', 'io.bfq.weight'],
  ],
};

function readCgroupFeatures(layout: CgroupLayout): Set<CgroupFeature> {
  const features = new Set<CgroupFeature>();
  const probes = new Map<string, string[]>();
  for (const [feature, controller, file] of featureFiles[layout.version]) {
    const mount = layout.mounts.get(layout.version === 2 ? '' : controller);
    if (mount === undefined) continue;
    const files = probes.get(mount) ?? probeChild(mount);
    probes.set(mount, files);
    if (files.includes(file)) features.add(feature);
  }
  return features;
}

/** The files that a child cgroup has: of one made for the purpose, or of the root where none can be made. */
function probeChild(mount: string): string[] {
  const child = join(mount, `isulad-probe-${process.pid}`);
  try {
    mkdirSync(child);
  } catch {
    return readdirSync(mount);
  }
  try {
    return readdirSync(child);
  } finally {
    rmdirSync(child);
  }
}
