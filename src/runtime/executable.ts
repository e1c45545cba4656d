import { closeSync, constants, existsSync, fstatSync, openSync, readdirSync, readFileSync, readSync, type Stats } from 'node:fs';
import { dirname, join } from 'node:path';
import { EngineError, errnoOf } from '../base/index.ts';
import { O_PATH, openat2, parseMountInfo, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_XDEV } from '../linux/index.ts';
import { exitNotExecutable, exitNotFound } from './failure.ts';

/** Who runs what, for the check. */
export interface ExecutableQuery {
  action: 'create' | 'exec';
  args: readonly string[];
  env: readonly string[];
  cwd: string;
  user: { uid: number; gid: number; additionalGids?: number[] };
  /** GOARCH. */
  architecture: string;
}

const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const headLimitBytes = 4096;
const interpreterLimitBytes = 4096;

/** ELF e_machine -> name; and what each host runs (its own, and the 32-bit ones of its kernel). */
const machines: Record<number, string> = {
  3: '386', 8: 'mips', 20: 'ppc', 21: 'ppc64', 22: 's390x', 40: 'arm', 62: 'amd64', 183: 'arm64', 243: 'riscv64', 258: 'loong64',
};
const runnable: Record<string, string[]> = { amd64: ['amd64', '386'], arm64: ['arm64', 'arm'], ppc64le: ['ppc64'] };

/**
 * Says why a program of a container cannot be executed, where that is certain; undefined where it can be, or where only the kernel
 * knows (a program on another file system than the root is looked at only where all of the container's file systems are local ones:
 * another could be one that never answers).
 *
 * crun 1.8 tells an execve that failed only to the process's own standard error, and runc without the cause: so it is looked up here,
 * in the container's own mount namespace.
 *
 * @param root `/proc/<pid>/root` of a process in the container
 */
export function explainExecutable(root: string, query: ExecutableQuery): EngineError | undefined {
  let fd: number;
  try {
    fd = openSync(root, O_PATH);
  } catch {
    // The process is gone: whatever comes next says so.
    return undefined;
  }
  try {
    return check({ fd, path: root, isLocal: undefined }, query);
  } finally {
    closeSync(fd);
  }
}

type Opened = { kind: 'open'; fd: number; stat: Stats } | { kind: 'missing' } | { kind: 'unknown' };

interface Root {
  readonly fd: number;
  /** `/proc/<pid>/root` */
  readonly path: string;
  /** All its file systems are local; undefined: not looked yet. */
  isLocal: boolean | undefined;
}

/** File systems that answer at once, and those that only speak of the kernel. */
const localFileSystems: ReadonlySet<string> = new Set([
  'overlay', 'ext2', 'ext3', 'ext4', 'xfs', 'btrfs', 'f2fs', 'zfs', 'tmpfs', 'ramfs', 'squashfs', 'erofs', 'iso9660', 'vfat',
  'proc', 'sysfs', 'devpts', 'devtmpfs', 'mqueue', 'cgroup', 'cgroup2', 'hugetlbfs', 'debugfs', 'tracefs', 'securityfs', 'bpf', 'pstore',
]);

function isLocal(root: Root): boolean {
  try {
    root.isLocal ??= parseMountInfo(readFileSync(join(dirname(root.path), 'mountinfo'), 'utf8')).every(({ fsType }) => localFileSystems.has(fsType));
  } catch {
    root.isLocal = false;
  }
  return root.isLocal;
}

function openInside(root: Root, path: string, flags: number, mayCross = false): Opened {
  try {
    const fd = openat2(root.fd, path, flags, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | (mayCross ? 0 : RESOLVE_NO_XDEV));
    return { kind: 'open', fd, stat: fstatSync(fd) };
  } catch (error) {
    const code = errnoOf(error);
    if (code === 'EXDEV' && !mayCross && isLocal(root)) return openInside(root, path, flags, true);
    // Across file systems may be /proc, which shows us other processes than those of the container.
    return !mayCross && (code === 'ENOENT' || code === 'ENOTDIR') ? { kind: 'missing' } : { kind: 'unknown' };
  }
}

function check(root: Root, query: ExecutableQuery): EngineError | undefined {
  const program = query.args[0] ?? '';
  const fail: Fail = (what, exitCode) => new EngineError('invalidArgument', `OCI runtime ${query.action} failed: ${what}`, { exitCode });
  const hasSlash = program.includes('/');
  let denied: string | undefined;
  for (const path of candidates(program, query)) {
    const opened = openInside(root, path, O_PATH);
    if (opened.kind === 'unknown') return undefined;
    if (opened.kind === 'missing') continue;
    closeSync(opened.fd);
    if (opened.stat.isDirectory()) denied ??= 'is a directory: permission denied';
    else if (!mayExecute(opened.stat, query)) denied ??= 'permission denied';
    else return checkFormat(root, path, query, fail);
  }
  if (denied !== undefined && (hasSlash || denied === 'permission denied')) return fail(`exec: "${program}": ${denied}`, exitNotExecutable);
  if (hasSlash) return fail(`exec: "${program}": stat ${program}: no such file or directory`, exitNotFound);
  return fail(`exec: "${program}": executable file not found in $PATH`, exitNotFound);
}

function candidates(program: string, query: ExecutableQuery): string[] {
  if (program.includes('/')) return [program.startsWith('/') ? program : join(query.cwd, program)];
  if (program === '') return [];
  const variable = query.env.findLast((entry) => entry.startsWith('PATH='))?.slice('PATH='.length);
  return (variable ?? defaultPath).split(':').map((dir) => (dir.startsWith('/') ? join(dir, program) : join(query.cwd, dir, program)));
}

/** By the mode alone: an access list can only be more generous where the mode has an execute bit at all. */
function mayExecute(stat: Stats, { user }: ExecutableQuery): boolean {
  if (!stat.isFile()) return false;
  if (user.uid === 0) return (stat.mode & 0o111) !== 0;
  if (stat.uid === user.uid) return (stat.mode & 0o100) !== 0;
  if (stat.gid === user.gid || user.additionalGids?.includes(stat.gid)) return (stat.mode & 0o010) !== 0;
  return (stat.mode & 0o111) !== 0;
}

type Fail = (what: string, exitCode: number) => EngineError;

function checkFormat(root: Root, path: string, query: ExecutableQuery, fail: Fail): EngineError | undefined {
  // A process of the container may put something else there meanwhile: a FIFO must not hold us.
  const opened = openInside(root, path, constants.O_NONBLOCK);
  if (opened.kind !== 'open') return undefined;
  if (!opened.stat.isFile()) {
    closeSync(opened.fd);
    return undefined;
  }
  const head = Buffer.alloc(headLimitBytes);
  let size: number;
  try {
    size = readSync(opened.fd, head, 0, head.length, 0);
  } finally {
    closeSync(opened.fd);
  }
  const found = formatOf(head.subarray(0, size));
  const program = query.args[0] ?? '';
  if (found.kind === 'other') {
    if (binfmtHandlers()) return undefined;
    return fail(`exec ${program}: exec format error: it is neither a program for Linux nor a script that begins with #!`, exitNotExecutable);
  }
  if (found.kind === 'elf' && !(runnable[query.architecture] ?? [query.architecture]).includes(found.machine)) {
    if (binfmtHandlers()) return undefined;
    return fail(`exec ${program}: exec format error: the program is for ${found.machine}, this host is ${query.architecture}`, exitNotExecutable);
  }
  if (found.interpreter === undefined || found.interpreter === '') return undefined;
  const interpreter = found.interpreter.startsWith('/') ? found.interpreter : join(query.cwd, found.interpreter);
  const there = openInside(root, interpreter, O_PATH);
  if (there.kind === 'open') closeSync(there.fd);
  if (there.kind !== 'missing') return undefined;
  return fail(`exec ${program}: no such file or directory: its interpreter ${found.interpreter} is not in the container`, exitNotFound);
}

type Format =
  | { kind: 'elf'; machine: string; interpreter?: string | undefined }
  | { kind: 'script'; interpreter: string }
  | { kind: 'other'; interpreter?: undefined };

/** What the first bytes of a file say (elf(5); execve(2), "Interpreter scripts"). */
export function formatOf(head: Buffer): Format {
  if (head.length >= 2 && head.toString('latin1', 0, 2) === '#!') {
    const line = head.toString('utf8', 2).split('\n', 1)[0] ?? '';
    return { kind: 'script', interpreter: line.trim().split(/[ \t]/, 1)[0] ?? '' };
  }
  if (head.length < 20 || head.toString('latin1', 0, 4) !== '\x7fELF') return { kind: 'other' };
  const wide = head[4] === 2;
  const little = head[5] === 1;
  const u16 = (at: number): number => (at + 2 > head.length ? 0 : little ? head.readUInt16LE(at) : head.readUInt16BE(at));
  const u32 = (at: number): number => (at + 4 > head.length ? 0 : little ? head.readUInt32LE(at) : head.readUInt32BE(at));
  // Offsets of a program's head fit 32 bits; the upper half of a 64-bit one must be zero for us to look.
  const word = (at: number): number => (!wide ? u32(at) : u32(little ? at + 4 : at) !== 0 ? Infinity : u32(little ? at : at + 4));
  const machine = machines[u16(18)] ?? `machine ${u16(18)}`;
  const table = word(wide ? 32 : 28);
  const [entrySize, entries] = [u16(wide ? 54 : 42), u16(wide ? 56 : 44)];
  for (let n = 0; n < Math.min(entries, 64) && table !== Infinity; n++) {
    const at = table + n * entrySize;
    if (u32(at) !== 3) continue;
    const offset = word(at + (wide ? 8 : 4));
    const size = word(at + (wide ? 32 : 16));
    if (size > 1 && size <= interpreterLimitBytes && offset + size <= head.length) {
      return { kind: 'elf', machine, interpreter: head.toString('utf8', offset, offset + size - 1) };
    }
  }
  return { kind: 'elf', machine };
}

/** binfmt_misc may run anything: then only the kernel can tell. */
function binfmtHandlers(): boolean {
  const dir = '/proc/sys/fs/binfmt_misc';
  return existsSync(dir) && readdirSync(dir).some((name) => name !== 'register' && name !== 'status');
}
