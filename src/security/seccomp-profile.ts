import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { EngineError, isRecord, messageOf } from '../base/index.ts';
import type { SeccompArgument, SeccompFilter, SeccompRule } from '../linux/index.ts';

/** When a rule of a profile counts. */
export interface SeccompCondition {
  caps?: string[];
  /** Names of GOARCH: amd64, arm64, … */
  arches?: string[];
  minKernel?: string;
}

export interface SeccompProfileRule extends SeccompRule {
  includes?: SeccompCondition;
  excludes?: SeccompCondition;
}

/** A profile file's contents (docker's format; the guide's, 1.3.9.1.3, with `name` for `names`, is read too). */
export interface SeccompProfile {
  defaultAction: string;
  defaultErrnoRet?: number;
  architectures?: string[];
  flags?: string[];
  syscalls: SeccompProfileRule[];
}

const profileLimitBytes = 1024 * 1024;
const rulesLimit = 4096;
const namesLimit = 4096;

const actions = new Set([
  'SCMP_ACT_KILL', 'SCMP_ACT_KILL_THREAD', 'SCMP_ACT_KILL_PROCESS', 'SCMP_ACT_TRAP', 'SCMP_ACT_ERRNO', 'SCMP_ACT_TRACE', 'SCMP_ACT_LOG',
  'SCMP_ACT_ALLOW',
]);
const operators = new Set([
  'SCMP_CMP_NE', 'SCMP_CMP_LT', 'SCMP_CMP_LE', 'SCMP_CMP_EQ', 'SCMP_CMP_GE', 'SCMP_CMP_GT', 'SCMP_CMP_MASKED_EQ',
]);
/** GOARCH -> the seccomp names of what its kernel can run. */
const nativeArchitectures: Record<string, string[]> = {
  amd64: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
  arm64: ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'],
  s390x: ['SCMP_ARCH_S390X', 'SCMP_ARCH_S390'],
  ppc64le: ['SCMP_ARCH_PPC64LE'],
  riscv64: ['SCMP_ARCH_RISCV64'],
  loong64: ['SCMP_ARCH_LOONGARCH64'],
};

function fail(what: string): never {
  throw new EngineError('invalidArgument', `Decoding seccomp profile failed: ${what}`);
}

function strings(value: unknown, where: string): string[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value) || value.length > namesLimit) fail(`${where}: want an array of at most ${namesLimit} strings`);
  return value.map((each: unknown) => (typeof each === 'string' ? each : fail(`${where}: want strings`)));
}

function number(value: unknown, where: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) fail(`${where}: want a whole number from 0 to 2^53-1`);
  return value;
}

function action(value: unknown, where: string): string {
  if (typeof value !== 'string' || value === '') fail(`${where}: action is empty`);
  if (value === 'SCMP_ACT_NOTIFY') {
    throw new EngineError('unsupported', `seccomp profile: ${where}: SCMP_ACT_NOTIFY needs a listener, which isulad has not`);
  }
  if (!actions.has(value)) fail(`${where}: unknown action ${JSON.stringify(value.slice(0, 64))}`);
  return value;
}

function condition(value: unknown, where: string): SeccompCondition | undefined {
  if (value === undefined || value === null) return undefined;
  if (!isRecord(value)) fail(`${where}: want an object`);
  const found: SeccompCondition = { caps: strings(value.caps, `${where}.caps`), arches: strings(value.arches, `${where}.arches`) };
  if (value.minKernel !== undefined) {
    if (typeof value.minKernel !== 'string' || !/^\d+\.\d+$/.test(value.minKernel)) fail(`${where}.minKernel: want MAJOR.MINOR`);
    found.minKernel = value.minKernel;
  }
  return found;
}

function argument(value: unknown, where: string): SeccompArgument {
  if (!isRecord(value)) fail(`${where}: want an object`);
  const index = number(value.index, `${where}.index`);
  if (index > 5) fail(`${where}.index: ${index} is more than 5`);
  if (typeof value.op !== 'string' || !operators.has(value.op)) fail(`${where}.op: unknown operator ${JSON.stringify(value.op)}`);
  const valueTwo = number(value.valueTwo ?? value.value_two ?? 0, `${where}.valueTwo`);
  return { index, op: value.op, value: number(value.value ?? 0, `${where}.value`), valueTwo };
}

function rule(value: unknown, where: string): SeccompProfileRule {
  if (!isRecord(value)) fail(`${where}: want an object`);
  const names = strings(value.names, `${where}.names`);
  if (typeof value.name === 'string' && value.name !== '') {
    if (names.length > 0) fail(`${where}: 'name' and 'names' were specified in the seccomp profile, use either`);
    names.push(value.name);
  }
  if (names.length === 0) fail(`${where}: no system call is named`);
  const parsed: SeccompProfileRule = { names, action: action(value.action, where) };
  if (value.errnoRet !== undefined && value.errnoRet !== null) parsed.errnoRet = number(value.errnoRet, `${where}.errnoRet`);
  const args: unknown = value.args ?? [];
  if (!Array.isArray(args) || args.length > 6) fail(`${where}.args: want an array of at most 6`);
  if (args.length > 0) parsed.args = args.map((each, at) => argument(each, `${where}.args[${at}]`));
  const includes = condition(value.includes, `${where}.includes`);
  if (includes) parsed.includes = includes;
  const excludes = condition(value.excludes, `${where}.excludes`);
  if (excludes) parsed.excludes = excludes;
  return parsed;
}

/** Reads a profile's JSON text. @throws invalidArgument naming the place. */
export function parseSeccompProfile(text: string): SeccompProfile {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    fail(messageOf(error));
  }
  if (!isRecord(json)) fail('want a JSON object');
  const syscalls: unknown = json.syscalls ?? [];
  if (!Array.isArray(syscalls) || syscalls.length > rulesLimit) fail(`syscalls: want an array of at most ${rulesLimit}`);
  const profile: SeccompProfile = {
    defaultAction: action(json.defaultAction, 'defaultAction'),
    syscalls: syscalls.map((each, at) => rule(each, `syscalls[${at}]`)),
  };
  if (json.defaultErrnoRet !== undefined) profile.defaultErrnoRet = number(json.defaultErrnoRet, 'defaultErrnoRet');
  const architectures = strings(json.architectures, 'architectures');
  if (json.archMap !== undefined && json.archMap !== null) {
    if (architectures.length > 0) fail("'architectures' and 'archMap' were specified in the seccomp profile, use either");
    // An archMap lists architectures other than ours too; the ones that count are the native ones, as docker resolves it.
    if (!Array.isArray(json.archMap)) fail('archMap: want an array');
  } else if (architectures.length > 0) profile.architectures = architectures;
  const flags = strings(json.flags, 'flags');
  if (flags.length > 0) profile.flags = flags;
  return profile;
}

/** Loads a profile file. @throws invalidArgument naming the file: relative path, not there, too large, not a profile. */
export function loadSeccompProfile(path: string): SeccompProfile {
  if (!path.startsWith('/')) throw new EngineError('invalidArgument', `seccomp profile ${JSON.stringify(path)}: want an absolute path`);
  let text: string;
  try {
    const fd = openSync(path, 'r');
    try {
      const stat = fstatSync(fd);
      if (!stat.isFile()) throw new Error('not a regular file');
      if (stat.size > profileLimitBytes) throw new Error(`${stat.size} bytes, the limit is ${profileLimitBytes}`);
      text = readFileSync(fd, 'utf8');
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw new EngineError('invalidArgument', `opening seccomp profile (${path}) failed: ${messageOf(error)}`, { cause: error });
  }
  return parseSeccompProfile(text);
}

/** What a profile comes down to for one container on one host: conditions decided, architectures filled in. */
export function resolveSeccomp(
  profile: SeccompProfile,
  facts: { architecture: string; kernelRelease: string; capabilities: ReadonlySet<string> },
): SeccompFilter {
  const syscalls: SeccompRule[] = [];
  for (const { includes, excludes, ...bare } of profile.syscalls) {
    if (includes && !includesHold(includes, facts)) continue;
    if (excludes && excludesHold(excludes, facts)) continue;
    syscalls.push(bare);
  }
  const filter: SeccompFilter = { defaultAction: profile.defaultAction, syscalls };
  if (profile.defaultErrnoRet !== undefined) filter.defaultErrnoRet = profile.defaultErrnoRet;
  const architectures = profile.architectures ?? nativeArchitectures[facts.architecture];
  if (architectures) filter.architectures = architectures;
  if (profile.flags) filter.flags = profile.flags;
  return filter;
}

interface ConditionFacts {
  architecture: string;
  kernelRelease: string;
  capabilities: ReadonlySet<string>;
}

/** All that an `includes` names must hold. */
function includesHold(want: SeccompCondition, facts: ConditionFacts): boolean {
  if (want.arches?.length && !want.arches.includes(facts.architecture)) return false;
  if (want.caps?.some((cap) => !facts.capabilities.has(cap))) return false;
  return want.minKernel === undefined || kernelAtLeast(facts.kernelRelease, want.minKernel);
}

/** Any of what an `excludes` names is enough. */
function excludesHold(want: SeccompCondition, facts: ConditionFacts): boolean {
  if (want.arches?.includes(facts.architecture)) return true;
  if (want.caps?.some((cap) => facts.capabilities.has(cap))) return true;
  return want.minKernel !== undefined && kernelAtLeast(facts.kernelRelease, want.minKernel);
}

function kernelAtLeast(release: string, wanted: string): boolean {
  const [major = 0, minor = 0] = release.split(/[.-]/).map(Number);
  const [wantMajor = 0, wantMinor = 0] = wanted.split('.').map(Number);
  return major > wantMajor || (major === wantMajor && minor >= wantMinor);
}
