import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError, failPoint } from '../base/index.ts';
import { bundleFiles, readLaunch, readPidFile, type Launch } from './bundle.ts';
import { conmonPid } from './conmon.ts';
import type { DriverContext } from './context.ts';
import { execDirect } from './exec-direct.ts';
import { execMonitored } from './exec-monitored.ts';
import { explainExecutable } from './executable.ts';
import { ociJson } from './oci-json.ts';
import type { ExecHandle, ExecRequest } from './types.ts';

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

/** The directories that execs of an earlier daemon left: all but those of a conmon that lives. */
export function forgetExecs(bundlePath: string): void {
  const execs = join(bundlePath, bundleFiles.execs);
  if (!existsSync(execs)) return;
  for (const name of readdirSync(execs)) {
    const directory = join(execs, name);
    if (conmonPid(directory) === undefined) rmSync(directory, { recursive: true, force: true });
  }
}
