import { EngineError } from '../base/index.ts';
import { parseSecurityOpts, type ContainerConfig, type HostConfig, type SecurityOptions } from '../model/index.ts';
import { containerCapabilities } from '../security/index.ts';
import { selinuxLabels } from './selinux.ts';
import { initTarget } from './spec-mounts.ts';
import type { HostFacts, OciProcess, SpecInput } from './types.ts';

/** setrlimit(2) names by those of --ulimit (guide 1.3.3.8). */
const ulimitNames: Record<string, string> = {
  core: 'RLIMIT_CORE', cpu: 'RLIMIT_CPU', data: 'RLIMIT_DATA', fsize: 'RLIMIT_FSIZE', locks: 'RLIMIT_LOCKS', memlock: 'RLIMIT_MEMLOCK',
  msgqueue: 'RLIMIT_MSGQUEUE', nice: 'RLIMIT_NICE', nofile: 'RLIMIT_NOFILE', nproc: 'RLIMIT_NPROC', rss: 'RLIMIT_RSS', rtprio: 'RLIMIT_RTPRIO',
  rttime: 'RLIMIT_RTTIME', sigpending: 'RLIMIT_SIGPENDING', stack: 'RLIMIT_STACK',
};

const oomScoreLimit = 1000;

/** The init process of a container. What the daemon itself has no right to is left out, with a warning. */
export function specProcess(input: SpecInput, security: SecurityOptions, facts: HostFacts, warnings: string[]): OciProcess {
  const { hostConfig } = input;
  const process: OciProcess = {
    ...commonProcess(hostConfig, input.identity.uid, security, facts, hostConfig.Privileged, warnings),
    terminal: input.config.Tty,
    user: specUser(input.identity, input.umask),
    args: input.initPath === undefined ? input.args : [initTarget, '--', ...input.args],
    env: input.env,
    cwd: input.cwd === '' ? '/' : input.cwd,
  };
  const rlimits = specLimits(input.ulimits, facts, warnings);
  if (rlimits.length > 0) process.rlimits = rlimits;
  const score = specOomScore(hostConfig, facts, warnings);
  if (score !== undefined) process.oomScoreAdj = score;
  const label = selinuxLabels(input.id, security, facts);
  if (label) process.selinuxLabel = label.process;
  return process;
}

/** What `exec` wants to run in a container that runs. */
export interface ExecProcessInput {
  config: ContainerConfig;
  hostConfig: HostConfig;
  facts: HostFacts;
  identity: { uid: number; gid: number; additionalGids: number[] };
  umask: number;
  tty: boolean;
  /** `exec --privileged`: all capabilities, no more. */
  privileged: boolean;
  args: string[];
  env: string[];
  cwd: string;
  consoleSize?: { height: number; width: number };
}

/** The process document of an exec: the container's own rights, or all with --privileged. */
export function execProcess(input: ExecProcessInput): OciProcess {
  const { hostConfig, facts } = input;
  const security = parseSecurityOpts(hostConfig.SecurityOpt);
  const process: OciProcess = {
    ...commonProcess(hostConfig, input.identity.uid, security, facts, input.privileged || hostConfig.Privileged, []),
    terminal: input.tty,
    user: specUser(input.identity, input.umask),
    args: input.args,
    env: input.env,
    cwd: input.cwd || input.config.WorkingDir || '/',
  };
  if (input.consoleSize) process.consoleSize = input.consoleSize;
  return process;
}

function commonProcess(
  hostConfig: HostConfig, uid: number, security: SecurityOptions, facts: HostFacts, privileged: boolean, warnings: string[],
): Pick<OciProcess, 'capabilities' | 'noNewPrivileges' | 'apparmorProfile'> {
  const found: Pick<OciProcess, 'capabilities' | 'noNewPrivileges' | 'apparmorProfile'> = {
    capabilities: specCapabilities(hostConfig, uid, facts, privileged, warnings),
    noNewPrivileges: security.noNewPrivileges,
  };
  if (security.apparmor !== undefined && security.apparmor !== 'unconfined') {
    if (!facts.apparmorEnabled) {
      throw new EngineError('unsupported', `Cannot use AppArmor profile ${security.apparmor}: AppArmor is not enabled on this host`);
    }
    found.apparmorProfile = security.apparmor;
  }
  return found;
}

/** A user other than root has none at hand: the bounding set only says what its set-user-ID files may give (docker's rule). */
function specCapabilities(
  hostConfig: HostConfig, uid: number, facts: HostFacts, privileged: boolean, warnings: string[],
): NonNullable<OciProcess['capabilities']> {
  const wanted = containerCapabilities({ add: hostConfig.CapAdd, drop: hostConfig.CapDrop, privileged });
  const given = wanted.filter((name) => facts.capabilities.has(name));
  const missing = wanted.filter((name) => !facts.capabilities.has(name));
  if (missing.length > 0 && missing.some((name) => !isUnknownToKernel(name, facts))) {
    warnings.push(`The daemon itself lacks ${missing.join(', ')}: the container runs without.`);
  }
  return uid === 0 ? { bounding: given, effective: given, permitted: given } : { bounding: given, effective: [], permitted: [] };
}

/** An older kernel simply has fewer capabilities than we know: that needs no warning. */
function isUnknownToKernel(name: string, facts: HostFacts): boolean {
  const [major = 0, minor = 0] = facts.kernelRelease.split(/[.-]/).map(Number);
  const since: Record<string, [number, number]> = { CAP_AUDIT_READ: [3, 16], CAP_PERFMON: [5, 8], CAP_BPF: [5, 8], CAP_CHECKPOINT_RESTORE: [5, 9] };
  const [wantMajor, wantMinor] = since[name] ?? [0, 0];
  return major < wantMajor || (major === wantMajor && minor < wantMinor);
}

function specUser(identity: { uid: number; gid: number; additionalGids: number[] }, umask: number): OciProcess['user'] {
  const user: OciProcess['user'] = { uid: identity.uid, gid: identity.gid, umask };
  if (identity.additionalGids.length > 0) user.additionalGids = identity.additionalGids;
  return user;
}

function specLimits(ulimits: SpecInput['ulimits'], facts: HostFacts, warnings: string[]): NonNullable<OciProcess['rlimits']> {
  const mayRaise = facts.capabilities.has('CAP_SYS_RESOURCE');
  return ulimits.map(({ name, soft, hard }) => {
    const type = ulimitNames[name];
    if (type === undefined) throw new EngineError('invalidArgument', `invalid ulimit type: ${name}`);
    // Below -1: the numbers close to 2^64 that the guide speaks of cannot be written as JSON numbers here, and limit nothing either.
    let [wantSoft, wantHard] = [soft < 0 ? Infinity : soft, hard < 0 ? Infinity : hard];
    const own = facts.rlimits.get(type);
    if (!mayRaise && own && wantHard > own.hard) {
      warnings.push(`The daemon may not raise ulimit ${name} above its own ${own.hard} (no CAP_SYS_RESOURCE): the container has ${own.hard}.`);
      wantHard = own.hard;
      wantSoft = Math.min(wantSoft, wantHard);
    }
    return { type, soft: wantSoft, hard: wantHard };
  });
}

function specOomScore(hostConfig: HostConfig, facts: HostFacts, warnings: string[]): number | undefined {
  const score = hostConfig.OomScoreAdj;
  if (Math.abs(score) > oomScoreLimit) throw new EngineError('invalidArgument', `Invalid value ${score}, range for oom score adj is [-1000, 1000]`);
  if (score < 0 && !facts.capabilities.has('CAP_SYS_RESOURCE')) {
    warnings.push(`The daemon may not lower oom_score_adj to ${score} (no CAP_SYS_RESOURCE): the container keeps the daemon's.`);
    return undefined;
  }
  return score === 0 ? undefined : score;
}
