import { hostname } from 'node:os';
import { readFileSync } from 'node:fs';
import { formatTime, nowMs } from '../base/index.ts';
import type { EngineContext } from './context.ts';

/** `crun version 1.8.1` and the like, without the words. */
function bareVersion(line: string): string {
  return line.replace(/^.*\bversion:? */, '');
}

/** Names and versions that never change while the daemon runs. */
function osRelease(): { name: string; version: string } {
  try {
    const text = readFileSync('/etc/os-release', 'utf8');
    const field = (key: string) => new RegExp(`^${key}="?([^"\n]*)"?$`, 'm').exec(text)?.[1] ?? '';
    return { name: field('PRETTY_NAME') || 'Linux', version: field('VERSION_ID') };
  } catch {
    return { name: 'Linux', version: '' };
  }
}

/** Docker's names of the machine's architecture in `info` (uname -m), where Go has others. */
const unameNames: Readonly<Record<string, string>> = { x64: 'x86_64', arm64: 'aarch64', riscv64: 'riscv64' };
const goNames: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64', riscv64: 'riscv64' };

function hostArchitecture(): string {
  return goNames[process.arch] ?? process.arch;
}

/** moby: SystemInfo, with the guide's own (hugetlb page size, OCI runtime choice). */
export function systemInfo(ctx: EngineContext): Record<string, unknown> {
  const { options, runtime, snapshots, store } = ctx;
  const containers = store.all();
  const count = (...wanted: string[]) => containers.filter((container) => wanted.includes(container.state.status)).length;
  const { facts, choice } = runtime;
  const os = osRelease();
  const security: string[] = [];
  if (facts.seccompSupported) security.push('name=seccomp,profile=builtin');
  if (facts.apparmorEnabled) security.push('name=apparmor');
  if (facts.selinuxEnabled) security.push('name=selinux');
  if (options.idMaps) security.push('name=userns');
  const has = (controller: string) => facts.cgroup.controllers.has(controller);
  return {
    ID: ctx.bootId,
    Containers: containers.length,
    ContainersRunning: count('running', 'restarting'),
    ContainersPaused: count('paused'),
    ContainersStopped: count('created', 'exited', 'dead', 'removing'),
    Images: ctx.images.count(),
    Driver: snapshots.name,
    DriverStatus: snapshots.status(),
    SystemStatus: null,
    Plugins: { Volume: ['local'], Network: ['host', 'none'], Authorization: null, Log: ['json-file', 'none'] },
    MemoryLimit: has('memory'),
    SwapLimit: has('memory'),
    KernelMemoryTCP: false,
    CpuCfsPeriod: has('cpu'),
    CpuCfsQuota: has('cpu'),
    CPUShares: has('cpu'),
    CPUSet: has('cpuset'),
    PidsLimit: has('pids'),
    IPv4Forwarding: readFlag('/proc/sys/net/ipv4/ip_forward'),
    BridgeNfIptables: readFlag('/proc/sys/net/bridge/bridge-nf-call-iptables'),
    BridgeNfIp6tables: readFlag('/proc/sys/net/bridge/bridge-nf-call-ip6tables'),
    Debug: false,
    NFd: 0,
    OomKillDisable: facts.cgroup.version === 1 && has('memory'),
    NGoroutines: 0,
    SystemTime: formatTime(nowMs()),
    LoggingDriver: options.containerLog.Type || 'json-file',
    CgroupDriver: 'cgroupfs',
    CgroupVersion: String(facts.cgroup.version),
    NEventsListener: 0,
    KernelVersion: facts.kernelRelease,
    OperatingSystem: os.name,
    OSVersion: os.version,
    OSType: 'linux',
    Architecture: unameNames[process.arch] ?? process.arch,
    NCPU: facts.cpus,
    MemTotal: facts.memoryBytes,
    GenericResources: null,
    DockerRootDir: options.graphRoot,
    Name: hostname(),
    Labels: [],
    ExperimentalBuild: false,
    ServerVersion: options.version,
    Runtimes: Object.fromEntries(
      [...runtime.runtimes()].map(([name, { path, args }]) => [name, { path, ...(args.length > 0 ? { runtimeArgs: args } : {}) }]),
    ),
    DefaultRuntime: options.defaultRuntime,
    Swarm: { NodeID: '', NodeAddr: '', LocalNodeState: 'inactive', ControlAvailable: false, Error: '', RemoteManagers: null },
    LiveRestoreEnabled: true,
    Isolation: '',
    InitBinary: '',
    ContainerdCommit: { ID: '', Expected: '' },
    RuncCommit: { ID: bareVersion(choice.version), Expected: bareVersion(choice.version) },
    InitCommit: { ID: '', Expected: '' },
    SecurityOptions: security,
    Warnings: null,
    // isula
    HugetlbPageSizes: hugetlbPageSizes(),
    RuntimeChoice: {
      Name: choice.name, Path: choice.path, Version: bareVersion(choice.version), Reason: choice.reason,
      Monitor: `conmon ${bareVersion(choice.conmonVersion)}`,
    },
    ...options.facts,
  };
}

function readFlag(path: string): boolean {
  try {
    return readFileSync(path, 'utf8').trim() === '1';
  } catch {
    return false;
  }
}

/** The host's default huge page size (`2MB`), from /proc/meminfo in kB; empty where there is none. */
function hugetlbPageSizes(): string {
  try {
    const kb = Number(/^Hugepagesize:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1] ?? 0);
    if (kb === 0) return '';
    return kb >= 1048576 ? `${kb / 1048576}GB` : `${kb / 1024}MB`;
  } catch {
    return '';
  }
}

/** moby: SystemVersion without what the API itself knows (its version range). */
export function systemVersion(ctx: EngineContext): Record<string, unknown> {
  const { options, runtime } = ctx;
  const { choice, facts } = runtime;
  const arch = hostArchitecture();
  return {
    Platform: { Name: 'iSula' },
    Version: options.version,
    GitCommit: options.gitCommit,
    GoVersion: `bun${Bun.version}`,
    Os: 'linux',
    Arch: arch,
    KernelVersion: facts.kernelRelease,
    BuildTime: '',
    Components: [
      {
        Name: 'Engine', Version: options.version,
        Details: { Arch: arch, GitCommit: options.gitCommit, KernelVersion: facts.kernelRelease, Os: 'linux' },
      },
      { Name: choice.name, Version: bareVersion(choice.version), Details: { Path: choice.path, Reason: choice.reason } },
      { Name: 'conmon', Version: bareVersion(choice.conmonVersion), Details: {} },
    ],
    // isula
    OCIVersion: '1.0.2',
    OCIDefaultFile: '/etc/default/isulad/config.json',
  };
}
