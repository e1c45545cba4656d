import { dlopen } from 'bun:ffi';
import { closeSync, readFileSync } from 'node:fs';
import { endianness } from 'node:os';
import { cString, openLibc, SyscallError } from './libc.ts';

/** A seccomp filter as the OCI runtime specification writes it (config-linux.md, "Seccomp"), with its names resolved. */
export interface SeccompFilter {
  defaultAction: string;
  defaultErrnoRet?: number;
  /** `SCMP_ARCH_X86_64`, … */
  architectures?: string[];
  flags?: string[];
  syscalls?: SeccompRule[];
}

export interface SeccompRule {
  names: string[];
  action: string;
  errnoRet?: number;
  args?: SeccompArgument[];
}

export interface SeccompArgument {
  index: number;
  value: number;
  valueTwo?: number;
  op: string;
}

/** seccomp.h of libseccomp; ERRNO and TRACE carry a number in their low 16 bits. */
const actions: Record<string, number> = {
  SCMP_ACT_KILL: 0x00000000, SCMP_ACT_KILL_THREAD: 0x00000000, SCMP_ACT_KILL_PROCESS: 0x80000000, SCMP_ACT_TRAP: 0x00030000,
  SCMP_ACT_ERRNO: 0x00050000, SCMP_ACT_TRACE: 0x7ff00000, SCMP_ACT_LOG: 0x7ffc0000, SCMP_ACT_ALLOW: 0x7fff0000,
};
const operators: Record<string, number> = {
  SCMP_CMP_NE: 1, SCMP_CMP_LT: 2, SCMP_CMP_LE: 3, SCMP_CMP_EQ: 4, SCMP_CMP_GE: 5, SCMP_CMP_GT: 6, SCMP_CMP_MASKED_EQ: 7,
};
const EPERM = 1;
const EEXIST = 17;
const EDOM = 33;
/** __NR_SCMP_ERROR: a name that this libseccomp does not know. */
const unknownSyscall = -1;
/** The kernel's BPF_MAXINSNS, 8 bytes each: no filter can be longer. */
const filterLimitBytes = 4096 * 8;

function openLibrary() {
  return dlopen('libseccomp.so.2', {
    seccomp_init: { args: ['u32'], returns: 'ptr' },
    seccomp_release: { args: ['ptr'], returns: 'void' },
    seccomp_arch_resolve_name: { args: ['ptr'], returns: 'u32' },
    seccomp_arch_add: { args: ['ptr', 'u32'], returns: 'i32' },
    seccomp_syscall_resolve_name: { args: ['ptr'], returns: 'i32' },
    seccomp_rule_add_array: { args: ['ptr', 'u32', 'i32', 'u32', 'ptr'], returns: 'i32' },
    seccomp_export_bpf: { args: ['ptr', 'i32'], returns: 'i32' },
  }).symbols;
}

let library: ReturnType<typeof openLibrary> | undefined | 'missing';

const libc = openLibc({ memfd_create: { args: ['ptr', 'u32'], returns: 'i32' } });
const MFD_CLOEXEC = 1;

/**
 * Compiles a filter to the BPF program that seccomp(2) takes, exactly as an OCI runtime would. Undefined where that cannot be
 * done here: no libseccomp, or an action (NOTIFY) that needs more than a program.
 * @throws invalid filters: unknown action, operator, architecture.
 */
export function compileSeccomp(filter: SeccompFilter): Buffer | undefined {
  if (library === undefined) {
    try {
      library = openLibrary();
    } catch {
      library = 'missing';
    }
  }
  if (library === 'missing' || endianness() !== 'LE') return undefined;
  if ([filter.defaultAction, ...(filter.syscalls ?? []).map((rule) => rule.action)].includes('SCMP_ACT_NOTIFY')) return undefined;
  const lib = library;
  const defaultAction = actionOf(filter.defaultAction, filter.defaultErrnoRet);
  const context = lib.seccomp_init(defaultAction);
  if (context === null) throw new Error(`Cannot compile the seccomp profile: libseccomp takes no default action ${filter.defaultAction}`);
  try {
    for (const arch of filter.architectures ?? []) {
      const token = lib.seccomp_arch_resolve_name(cString(arch.replace(/^SCMP_ARCH_/, '').toLowerCase()));
      if (token === 0) throw new Error(`Cannot compile the seccomp profile: unknown architecture ${arch}`);
      checkResult(lib.seccomp_arch_add(context, token), 'seccomp_arch_add', arch, EEXIST);
    }
    for (const rule of filter.syscalls ?? []) addRule(lib, context, rule, defaultAction);
    return exportProgram(lib, context);
  } finally {
    lib.seccomp_release(context);
  }
}

type Library = ReturnType<typeof openLibrary>;
type Context = NonNullable<ReturnType<Library['seccomp_init']>>;

function addRule(lib: Library, context: Context, rule: SeccompRule, defaultAction: number): void {
  const action = actionOf(rule.action, rule.errnoRet);
  // What already happens by default needs no rule, and libseccomp refuses one.
  if (action === defaultAction) return;
  const args = (rule.args ?? []).slice(0, 6);
  // Several conditions on one argument mean "any of them" (the way of runc and crun); else all must hold.
  const alternatives = new Set(args.map((arg) => arg.index)).size < args.length ? args.map((arg) => [arg]) : [args];
  for (const name of rule.names) {
    const number = lib.seccomp_syscall_resolve_name(cString(name));
    if (number === unknownSyscall) continue;
    for (const conditions of alternatives) {
      const packed = packConditions(conditions);
      // EDOM: an architecture of the filter has no such call.
      checkResult(lib.seccomp_rule_add_array(context, action, number, conditions.length, packed), 'seccomp_rule_add', name, EDOM);
    }
  }
}

/** struct scmp_arg_cmp: { unsigned arg; enum op; uint64 a; uint64 b }, 24 bytes. Empty needs one byte, for its address. */
function packConditions(conditions: readonly SeccompArgument[]): Buffer {
  const packed = Buffer.alloc(Math.max(1, conditions.length * 24));
  conditions.forEach((arg, at) => {
    const operator = operators[arg.op];
    if (operator === undefined) throw new Error(`Cannot compile the seccomp profile: unknown operator ${arg.op}`);
    packed.writeUInt32LE(arg.index, at * 24);
    packed.writeUInt32LE(operator, at * 24 + 4);
    packed.writeBigUInt64LE(BigInt.asUintN(64, BigInt(arg.value)), at * 24 + 8);
    packed.writeBigUInt64LE(BigInt.asUintN(64, BigInt(arg.valueTwo ?? 0)), at * 24 + 16);
  });
  return packed;
}

function exportProgram(lib: Library, context: Context): Buffer {
  const fd = libc.memfd_create(cString('seccomp'), MFD_CLOEXEC);
  if (fd < 0) throw new Error('Cannot compile the seccomp profile: memfd_create failed');
  try {
    checkResult(lib.seccomp_export_bpf(context, fd), 'seccomp_export_bpf', '');
    const program = readFileSync(`/proc/self/fd/${fd}`);
    if (program.length === 0 || program.length % 8 !== 0 || program.length > filterLimitBytes) {
      throw new Error(`Cannot compile the seccomp profile: its program has ${program.length} bytes, the kernel takes at most ${filterLimitBytes}`);
    }
    return program;
  } finally {
    closeSync(fd);
  }
}

function actionOf(name: string, errnoRet: number | undefined): number {
  const action = actions[name];
  if (action === undefined) throw new Error(`Cannot compile the seccomp profile: unknown action ${name}`);
  return name === 'SCMP_ACT_ERRNO' || name === 'SCMP_ACT_TRACE' ? action | ((errnoRet ?? EPERM) & 0xffff) : action;
}

/** libseccomp gives a negative errno. */
function checkResult(result: number, call: string, what: string, accepted = 0): void {
  if (result < 0 && result !== -accepted) throw new SyscallError(-result, call, what);
}
