import { existsSync, mkdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { EngineError, type Logger } from '../base/index.ts';
import {
  CgroupAttach, freezeCgroup, isCgroupFrozen, isProcessRunning, killCgroup, readCgroupPids, readCgroupStats, signalProcess, thawCgroup,
  type SeccompFilter,
} from '../linux/index.ts';
import { attachContainer } from './attach.ts';
import { bundleFiles, readLaunch } from './bundle.ts';
import type { DriverContext, ResolvedRuntime } from './context.ts';
import { sendReopenLog, sendWindowSize } from './control.ts';
import { createContainer } from './create.ts';
import { execInContainer, forgetExecs } from './exec.ts';
import { ExitWatch, readExit } from './exits.ts';
import { runtimeFailure } from './failure.ts';
import { reportingHooks } from './hook-errors.ts';
import { readHostFacts } from './host-facts.ts';
import { chooseRuntime, crunRefusal, readUnifiedControllers, takesSeccompProgram, VersionProbe } from './probe.ts';
import { removeContainer } from './remove.ts';
import { releaseInit } from './release-init.ts';
import { runCommand } from './run-command.ts';
import { SealedPrograms } from './sealed-program.ts';
import { SeccompCache } from './seccomp-cache.ts';
import type { OciSpec, RuntimeDriver } from './types.ts';
import { updateResources } from './update.ts';

/** The guide's name of the default runtime: the light one of this host. */
const lightRuntime = 'lcr';
const startTimeoutMs = 120_000;
/** crun's own annotation: a compiled filter in base64. */
const seccompProgramAnnotation = 'run.oci.seccomp_bpf_data';
/** crun's own annotation: a file for the standard error of hooks. */
const hookErrorsAnnotation = 'run.oci.hooks.stderr';

export interface RuntimeOptions {
  /** Holds exit files and the runtimes' records; gone after a reboot. */
  stateRoot: string;
  /** Keeps what was learnt of the installed programs. */
  graphRoot: string;
  logger: Logger;
  /** Further runtimes by name (daemon.json `runtimes`). */
  runtimes: Record<string, { path: string; args?: string[] }>;
  /** `lcr`, `crun`, `runc` or one of `runtimes`. */
  defaultRuntime: string;
  /** The daemon's selinux-enabled: containers get SELinux labels. */
  selinux?: boolean;
}

/**
 * Opens the driver that runs containers with conmon and an OCI runtime. Asks the installed programs once and keeps the answers, so
 * that a start costs no child process.
 * @throws unavailable: conmon or every runtime is missing. unsupported: SELinux is wanted and off. invalidArgument: the default
 * runtime is not known.
 */
export async function openRuntime(options: RuntimeOptions): Promise<RuntimeDriver> {
  const { logger, stateRoot, graphRoot } = options;
  const host = readHostFacts();
  if (options.selinux === true && !host.selinuxEnabled) {
    throw new EngineError('unsupported', 'Cannot use selinux-enabled: SELinux is not enabled on this host');
  }
  const facts = { ...host, selinuxEnabled: options.selinux === true };
  mkdirSync(graphRoot, { recursive: true, mode: 0o700 });
  const probe = new VersionProbe(join(graphRoot, 'runtime-versions.json'));
  const [conmon, crun, runc] = await Promise.all([probe.find('conmon'), probe.find('crun'), probe.find('runc')]);
  if (!conmon) throw new EngineError('unavailable', 'Cannot start: conmon is not installed (Debian: apt-get install conmon)');
  const choice = chooseRuntime(crun, runc, crunRefusal(facts.cgroup, readUnifiedControllers(facts.cgroup)));
  const known = new Map<string, { path: string; args: string[] }>([[lightRuntime, { path: choice.path, args: [] }]]);
  for (const [name, tool] of [['crun', crun], ['runc', runc]] as const) if (tool) known.set(name, { path: tool.path, args: [] });
  const versions = new Map([crun, runc].flatMap((tool) => (tool ? [[tool.path, tool.version] as const] : [])));
  for (const [name, { path, args = [] }] of Object.entries(options.runtimes)) {
    known.set(name, { path, args });
    const tool = /crun/.test(basename(path)) ? await probe.find(path) : undefined;
    if (tool) versions.set(tool.path, tool.version);
  }
  probe.save();
  const resolveRuntime = (name: string): ResolvedRuntime => resolve(known, name === '' ? options.defaultRuntime : name);
  resolveRuntime('');
  const filters = new SeccompCache(logger);
  const sealed = new SealedPrograms(logger);
  const isCrun = (path: string): boolean => versions.get(path)?.startsWith('crun ') === true;
  const exits = new ExitWatch(join(stateRoot, 'exits'));
  const ctx: DriverContext = {
    logger,
    facts,
    conmonPath: conmon.path,
    exitDir: exits.directory,
    resolveRuntime,
    isCrun,
    executableOf: (path) => (isCrun(path) ? sealed.pathOf(path) : path),
    runtimeRoot: (name) => join(stateRoot, 'oci', name),
    prepareSpec: (spec, runtime, bundlePath) => {
      if (spec.hooks) return isCrun(runtime.path) ? withHookErrors(spec, bundlePath) : spec;
      return takesSeccompProgram(versions.get(runtime.path) ?? '') ? withSeccompProgram(spec, filters) : spec;
    },
  };
  return {
    choice: { ...choice, conmonVersion: conmon.version },
    ...driverOf(ctx, exits, known),
  };
}

function resolve(known: ReadonlyMap<string, { path: string; args: string[] }>, name: string): ResolvedRuntime {
  const wanted = name.toLowerCase() === lightRuntime ? lightRuntime : name;
  const found = known.get(wanted);
  if (!found) {
    throw new EngineError('invalidArgument', `unknown or invalid runtime name: ${name.slice(0, 64)} (known here: ${[...known.keys()].join(', ')})`);
  }
  return { name: wanted, ...found };
}

/**
 * The filter in the form that costs crun nothing, instead of the form that it compiles for every container. Not with hooks: they
 * are told all annotations.
 */
function withSeccompProgram(spec: OciSpec, filters: SeccompCache): OciSpec {
  const { seccomp, ...linux } = spec.linux;
  if (!isFilter(seccomp) || (seccomp.flags?.length ?? 0) > 0) return spec;
  const program = filters.program(seccomp);
  return program === undefined ? spec : { ...spec, linux, annotations: { ...spec.annotations, [seccompProgramAnnotation]: program } };
}

function withHookErrors(spec: OciSpec, bundlePath: string): OciSpec {
  return { ...spec, annotations: { ...spec.annotations, [hookErrorsAnnotation]: join(bundlePath, bundleFiles.hookErrors) } };
}

function isFilter(value: unknown): value is SeccompFilter {
  return typeof value === 'object' && value !== null && 'defaultAction' in value;
}

function driverOf(ctx: DriverContext, exits: ExitWatch, known: ReadonlyMap<string, { path: string; args: string[] }>): Omit<RuntimeDriver, 'choice'> {
  const { facts } = ctx;
  const { cgroup } = facts;
  const attach = new CgroupAttach(cgroup);
  return {
    facts,
    anticipate: () => attach.begin(),
    runtimes: () => new Map(known),
    resolveRuntime: ctx.resolveRuntime,
    create: (request) => createContainer(ctx, request),
    start: (id, runtime, bundlePath) => startContainer(ctx, id, runtime, bundlePath),
    remove: (id, runtime, bundlePath) => removeContainer(ctx, id, runtime, bundlePath),
    exec: (request) => execInContainer(ctx, request),
    forgetExecs,
    attach: attachContainer,
    async resize(bundlePath, height, width) {
      sendWindowSize(bundlePath, height, width);
    },
    async reopenLog(bundlePath) {
      sendReopenLog(bundlePath);
    },
    readExit: (id, bundlePath) => readExit(ctx, id, bundlePath),
    watchExits: (onExit) => exits.add(onExit),
    clearExit: (id) => exits.clear(id),
    isAlive: ({ pid, pidStartTime }) => isProcessRunning(pid, pidStartTime),
    signal: ({ pid, pidStartTime }, signal) => signalProcess(pid, pidStartTime, signal),
    freeze: (cgroupPath) => freezeCgroup(cgroup, cgroupPath),
    thaw: (cgroupPath) => thawCgroup(cgroup, cgroupPath),
    isFrozen: (cgroupPath) => isCgroupFrozen(cgroup, cgroupPath),
    pids: (cgroupPath) => readCgroupPids(cgroup, cgroupPath),
    readStats: (cgroupPath) => readCgroupStats(cgroup, cgroupPath, facts.memoryBytes),
    async updateResources(cgroupPath, hostConfig) {
      updateResources(facts, cgroupPath, hostConfig);
    },
    killAll: (cgroupPath) => killCgroup(cgroup, cgroupPath),
  };
}

async function startContainer(ctx: DriverContext, id: string, runtimeName: string, bundlePath: string): Promise<void> {
  const launch = readLaunch(bundlePath);
  if (!launch || !existsSync(join(bundlePath, bundleFiles.initPid))) {
    throw new EngineError('conflict', `Cannot start container ${id}: it was not created`);
  }
  const { path, args } = launch.runtime;
  ctx.logger.debug(`Starting container ${id} with ${runtimeName} (${path})`);
  if (ctx.isCrun(path) && launch.poststartHooks === false && releaseInit(launch.runtimeRoot, id)) return;
  const argv = [ctx.executableOf(path), ...args, `--root=${launch.runtimeRoot}`, 'start', id];
  const { exitCode, errorText } = await reportingHooks(ctx, id, bundlePath, () => runCommand(argv, { timeoutMs: startTimeoutMs }));
  if (exitCode !== 0) throw runtimeFailure(errorText, { action: 'start', args: [], cwd: '/' });
}
