import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError, failPoint, type OutputSink } from '../base/index.ts';
import { bundleFiles, readLaunch, readPidFile, type Launch } from './bundle.ts';
import { conmonPid } from './conmon.ts';
import type { DriverContext } from './context.ts';
import { execDirect } from './exec-direct.ts';
import { execMonitored } from './exec-monitored.ts';
import { explainExecutable } from './executable.ts';
import { ociJson } from './oci-json.ts';
import type { ExecHandle, ExecRequest, OciProcess } from './types.ts';

/** What both ways to exec work with. */
export interface ExecJob {
  ctx: DriverContext;
  request: ExecRequest;
  launch: Launch;
  /** This exec's own directory; removed at its end. */
  directory: string;
  processPath: string;
  pidFile: string;
}

/**
 * Runs one more process in a container.
 *
 * Attached and without a terminal: the runtime is our direct child and the process gets our pipes, so that nothing stands between
 * it and us. With a terminal, or detached: conmon, as for containers, because it can own the terminal with any runtime (runc passes
 * one on only when it detaches) and because it outlives the daemon.
 */
export async function execInContainer(ctx: DriverContext, request: ExecRequest): Promise<ExecHandle> {
  const launch = readLaunch(request.bundlePath);
  const initPid = readPidFile(join(request.bundlePath, bundleFiles.initPid));
  if (!launch || initPid === undefined) throw new EngineError('conflict', `Container ${request.containerId} is not running`);
  if (request.isProbe && request.sink) return runProbe(ctx, request, launch, request.sink);
  const { args, env, cwd, user } = request.process;
  const reason = explainExecutable(`/proc/${initPid}/root`, { action: 'exec', args, env, cwd, user, architecture: ctx.facts.architecture });
  if (reason) throw reason;
  const directory = join(request.bundlePath, bundleFiles.execs, request.execId.slice(0, 16));
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const job: ExecJob = { ctx, request, launch, directory, processPath: join(directory, 'process.json'), pidFile: join(directory, 'pid') };
  const forget = (): void => rmSync(directory, { recursive: true, force: true });
  try {
    writeFileSync(job.processPath, ociJson(request.process), { mode: 0o600 });
    failPoint('exec.prepared');
    const handle = request.sink !== undefined && !request.process.terminal ? await execDirect(job, request.sink) : await execMonitored(job);
    return { ...handle, exit: handle.exit.finally(forget) };
  } catch (error) {
    forget();
    throw error;
  }
}

/** Documents that stand in their container's directory already: checks come by the hundred, and each is the last one again. */
const written = new WeakMap<OciProcess, string>();

/** A health check: no directory of its own, no look for the reason before it fails. */
async function runProbe(ctx: DriverContext, request: ExecRequest, launch: Launch, sink: OutputSink): Promise<ExecHandle> {
  const directory = join(request.bundlePath, bundleFiles.execs, 'health');
  const processPath = join(directory, 'process.json');
  if (written.get(request.process) !== processPath) {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    writeFileSync(processPath, ociJson(request.process), { mode: 0o600 });
    written.set(request.process, processPath);
  }
  // One that was broken off may still be ending when the next one starts.
  const pidFile = join(directory, `pid-${request.execId.slice(0, 16)}`);
  const handle = await execDirect({ ctx, request, launch, directory, processPath, pidFile }, sink);
  return { ...handle, exit: handle.exit.finally(() => rmSync(pidFile, { force: true })) };
}

/** The directories that execs of an earlier daemon left: all but those of a conmon that lives. */
export function forgetExecs(bundlePath: string): void {
  const execs = join(bundlePath, bundleFiles.execs);
  if (!existsSync(execs)) return;
  for (const name of readdirSync(execs)) {
    const directory = join(execs, name);
    if (conmonPid(directory) === undefined) rmSync(directory, { recursive: true, force: true });
  }
}
