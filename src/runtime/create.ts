import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError, isRecord, messageOf } from '../base/index.ts';
import { processStartTime } from '../linux/index.ts';
import { bundleFiles, readPidFile, writeLaunch, type Launch } from './bundle.ts';
import { conmonArguments, killConmon, startConmon, type Conmon } from './conmon.ts';
import type { DriverContext } from './context.ts';
import { explainExecutable } from './executable.ts';
import { runtimeFailure } from './failure.ts';
import { hookErrors } from './hook-errors.ts';
import { ociJson } from './oci-json.ts';
import { splitOwnLimits } from './own-limits.ts';
import { removeContainer } from './remove.ts';
import { stopSignal } from './run-command.ts';
import type { CreateRequest, OciSpec, RunningProcess } from './types.ts';

/** conmon forks and writes its pid file within this, or the host is in trouble. */
const forkTimeoutMs = 30_000;

/**
 * Makes a container up to the point where its init waits for `start`: one child, conmon, which runs the runtime's create.
 * Whatever goes wrong, nothing of it is left.
 */
export async function createContainer(ctx: DriverContext, request: CreateRequest): Promise<RunningProcess> {
  const { bundlePath, spec } = request;
  const runtime = ctx.resolveRuntime(request.runtime);
  const launch: Launch = {
    runtime: { path: runtime.path, args: runtime.args },
    runtimeRoot: ctx.runtimeRoot(runtime.name),
    cgroupPath: cgroupPathOf(spec),
    terminal: spec.process.terminal,
    openStdin: request.openStdin,
    stdinOnce: request.stdinOnce,
    poststartHooks: (spec.hooks?.poststart?.length ?? 0) > 0,
    poststopHooks: (spec.hooks?.poststop?.length ?? 0) > 0,
  };
  mkdirSync(bundlePath, { recursive: true, mode: 0o700 });
  mkdirSync(launch.runtimeRoot, { recursive: true, mode: 0o700 });
  writeLaunch(bundlePath, launch);
  const own = splitOwnLimits(spec, ctx.facts.cgroup);
  writeFileSync(join(bundlePath, bundleFiles.config), ociJson(ctx.prepareSpec(own.spec, runtime, bundlePath)), { mode: 0o600 });
  try {
    const init = await launchInit(ctx, request, launch);
    own.apply(launch.cgroupPath, init.pid);
    return init;
  } catch (error) {
    await undo(ctx, request);
    throw error;
  }
}

function cgroupPathOf(spec: OciSpec): string {
  const path = spec.linux.cgroupsPath;
  if (typeof path !== 'string' || !path.startsWith('/') || path.split('/').includes('..') || path === '/') {
    throw new EngineError('invalidArgument', `Cannot use cgroup path ${JSON.stringify(path)}: want an absolute path below the root`);
  }
  return path;
}

function hasUserNamespace({ linux: { namespaces } }: OciSpec): boolean {
  return Array.isArray(namespaces) && namespaces.some((one: unknown) => isRecord(one) && one['type'] === 'user');
}

async function launchInit(ctx: DriverContext, request: CreateRequest, launch: Launch): Promise<RunningProcess> {
  const { bundlePath, spec, id } = request;
  const pidFile = join(bundlePath, bundleFiles.initPid);
  const argv = [
    ...conmonArguments(ctx, {
      id,
      directory: bundlePath,
      launch,
      pidFile,
      terminal: launch.terminal,
      stdin: launch.openStdin,
      // conmon takes the leaving of any client for the end of input: of a terminal that would shut out the next client.
      leaveStdinOpen: launch.terminal || !launch.stdinOnce,
      ownStreams: hasUserNamespace(spec),
    }),
    '--exit-dir', ctx.exitDir,
    '-l', request.logPath === undefined ? 'none' : `k8s-file:${request.logPath}`,
    ...(request.logPath !== undefined && request.logMaxBytes !== undefined ? ['--log-size-max', String(request.logMaxBytes)] : []),
  ];
  const conmon = await startConmon(argv, { cwd: bundlePath, waitsForStart: false });
  try {
    const pid = await waitForPid(conmon, request);
    const conmonPid = readPidFile(join(bundlePath, bundleFiles.conmonPid));
    const pidStartTime = processStartTime(pid);
    if (conmonPid === undefined || pidStartTime === undefined) {
      throw new EngineError('internal', 'OCI runtime create failed: the container\'s first process ended before it was started');
    }
    const { args, env, cwd, user } = spec.process;
    const reason = explainExecutable(`/proc/${pid}/root`, { action: 'create', args, env, cwd, user, architecture: ctx.facts.architecture });
    if (reason) throw reason;
    return { pid, pidStartTime, conmonPid };
  } finally {
    conmon.messages.close();
  }
}

/** The init's pid, or the reason why there is none. */
async function waitForPid(conmon: Conmon, request: CreateRequest): Promise<number> {
  const { process: init } = request.spec;
  const stop = stopSignal({ timeoutMs: request.timeoutMs, signal: request.signal });
  try {
    const message = await Promise.race([conmon.messages.next(), stop.promise]);
    if (message instanceof EngineError) throw message;
    const limit = stopSignal({ timeoutMs: forkTimeoutMs });
    const forked = await Promise.race([conmon.forked, stop.promise, limit.promise]).finally(() => limit.clear());
    if (forked instanceof EngineError) throw forked;
    if (message !== undefined && message.data > 0) return message.data;
    const text = message?.message || (await conmon.errorText);
    const told = /hook/.test(text) ? `${hookErrors(request.bundlePath)}\n${text}` : text;
    throw runtimeFailure(told, { action: 'create', args: init.args, cwd: init.cwd });
  } finally {
    stop.clear();
  }
}

async function undo(ctx: DriverContext, request: CreateRequest): Promise<void> {
  const { bundlePath, id } = request;
  killConmon(bundlePath);
  try {
    await removeContainer(ctx, id, request.runtime, bundlePath);
  } catch (error) {
    ctx.logger.error(`Cannot clean up after the failed create of ${id}: ${messageOf(error)}`);
  }
  rmSync(join(ctx.exitDir, id), { force: true });
  for (const name of Object.values(bundleFiles)) rmSync(join(bundlePath, name), { recursive: true, force: true });
}
