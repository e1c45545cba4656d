import type { HostConfig } from '../model/index.ts';
import { defaultShmBytes } from '../model/index.ts';
import type { OciMount, ResolvedMount, SpecInput } from './types.ts';

/** Where --init finds its program in the container (docker's place). */
export const initTarget = '/sbin/docker-init';

/** Hidden from an ordinary container: docker's list, and the files of the guide's kernels (shown by its `df`, 1.3.3.5). */
const maskedPaths = [
  '/proc/acpi', '/proc/asound', '/proc/config.gz', '/proc/cpuirqstat', '/proc/fdenable', '/proc/fdstat', '/proc/fdthreshold',
  '/proc/interrupts', '/proc/kbox', '/proc/kcore', '/proc/keys', '/proc/latency_stats', '/proc/memstat', '/proc/oom_extend',
  '/proc/sched_debug', '/proc/scsi', '/proc/sig_catch', '/proc/signo', '/proc/timer_list', '/proc/timer_stats', '/sys/firmware',
  '/sys/devices/virtual/powercap',
];
const readonlyPaths = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

/** linux.maskedPaths and linux.readonlyPaths; null in the configuration means the defaults. */
export function specPaths(hostConfig: HostConfig, unconfined: boolean): { maskedPaths: string[]; readonlyPaths: string[] } {
  if (hostConfig.Privileged || unconfined) return { maskedPaths: [], readonlyPaths: [] };
  return { maskedPaths: hostConfig.MaskedPaths ?? maskedPaths, readonlyPaths: hostConfig.ReadonlyPaths ?? readonlyPaths };
}

/**
 * All mounts in their order: the standard ones that the user did not replace, the user's, and between these the files of /etc and the
 * init: after a mount that would hide them (a volume on /etc), before all others.
 */
export function specMounts(input: SpecInput): OciMount[] {
  const targets = input.mounts.map((mount) => normal(mount.target));
  const replaced = (path: string): boolean => targets.includes(path) || (path.startsWith('/dev/') && targets.includes('/dev'));
  const mounts = standardMounts(input).filter((mount) => !replaced(mount.destination));
  const { hosts, hostname, resolvConf } = input.etcFiles;
  const own: OciMount[] = [];
  for (const [destination, source] of [['/etc/resolv.conf', resolvConf], ['/etc/hostname', hostname], ['/etc/hosts', hosts]] as const) {
    if (source !== '' && !targets.includes(destination)) own.push({ destination, type: 'bind', source, options: ['rbind', 'rprivate'] });
  }
  if (input.initPath !== undefined) own.push({ destination: initTarget, type: 'bind', source: input.initPath, options: ['bind', 'ro', 'rprivate'] });
  // A user's mount of one of the files' directories comes before the files.
  const covers = (mount: ResolvedMount): boolean => own.some(({ destination }) => destination.startsWith(`${normal(mount.target)}/`));
  const [below, above] = [input.mounts.filter(covers), input.mounts.filter((mount) => !covers(mount))];
  return [...mounts, ...below.map(userMount), ...own, ...above.map(userMount)];
}

function normal(path: string): string {
  return path.length > 1 ? path.replace(/\/+$/, '') : path;
}

function standardMounts(input: SpecInput): OciMount[] {
  const { hostConfig, namespaces } = input;
  const writable = hostConfig.Privileged;
  const bindFromHost = (destination: string, ...options: string[]): OciMount => (
    { destination, type: 'bind', source: destination, options: ['rbind', 'nosuid', 'noexec', 'nodev', ...options] }
  );
  const ptsOptions = ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'];
  const mounts: OciMount[] = [
    { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
    { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'] },
    { destination: '/dev/pts', type: 'devpts', source: 'devpts', options: ptsOptions },
    { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', writable ? 'rw' : 'ro'] },
    { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: ['nosuid', 'noexec', 'nodev', 'relatime', writable ? 'rw' : 'ro'] },
  ];
  // A user namespace without a network namespace of its own may not mount sysfs.
  if (input.idMaps && namespaces.network.kind === 'host') mounts.splice(3, 1, bindFromHost('/sys', 'ro'));
  // A mqueue file system shows the queues of the IPC namespace that mounts it: the host's too. Not from within a user namespace.
  if (input.idMaps && namespaces.ipc.kind === 'host') mounts.push(bindFromHost('/dev/mqueue'));
  else mounts.push({ destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: ['nosuid', 'noexec', 'nodev'] });
  if (input.shmPath !== undefined) {
    mounts.push({ destination: '/dev/shm', type: 'bind', source: input.shmPath, options: ['rbind', 'rprivate', 'nosuid', 'noexec', 'nodev'] });
  } else if (namespaces.ipc.kind === 'host') {
    mounts.push(bindFromHost('/dev/shm', 'rprivate'));
  } else {
    const size = hostConfig.ShmSize > 0 ? hostConfig.ShmSize : defaultShmBytes;
    mounts.push({ destination: '/dev/shm', type: 'tmpfs', source: 'shm', options: ['nosuid', 'noexec', 'nodev', 'mode=1777', `size=${size}`] });
  }
  return mounts;
}

function userMount(mount: ResolvedMount): OciMount {
  const access = mount.readOnly ? 'ro' : 'rw';
  if (mount.type === 'tmpfs') {
    return { destination: mount.target, type: 'tmpfs', source: 'tmpfs', options: [...mount.options, ...(mount.readOnly ? ['ro'] : [])] };
  }
  const how = mount.options.includes('bind') || mount.options.includes('rbind') ? [] : ['rbind'];
  const propagation = mount.propagation === '' ? 'rprivate' : mount.propagation;
  return { destination: mount.target, type: 'bind', source: mount.source, options: [...how, ...mount.options, access, propagation] };
}
