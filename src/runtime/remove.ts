import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError } from '../base/index.ts';
import { killCgroup, readCgroupPids, removeCgroup, processStat } from '../linux/index.ts';
import { bundleFiles, readLaunch, readPidFile } from './bundle.ts';
import { conmonPid, killConmon } from './conmon.ts';
import type { DriverContext } from './context.ts';
import { reportingHooks } from './hook-errors.ts';
import { runCommand } from './run-command.ts';

/** The guide (4.3.2) lets a poststop hook take two minutes. */
const deleteTimeoutMs = 120_000;
/** A monitor whose container is gone writes the exit file and ends; so long it is waited for. */
const conmonTries = 500;
const conmonPauseMs = 4;

/**
 * Removes what a container has outside its bundle: its processes, the runtime's record, the cgroups. Nothing is an error that is gone.
 *
 * A container that has ended, and has no poststop hooks, leaves only files and empty directories behind (the record, the cgroups):
 * those are removed here, which saves the child process that `delete` would be.
 */
export async function removeContainer(ctx: DriverContext, id: string, runtimeName: string, bundlePath: string): Promise<void> {
  const launch = readLaunch(bundlePath);
  const runtime = launch?.runtime ?? ctx.resolveRuntime(runtimeName);
  const root = launch?.runtimeRoot ?? ctx.runtimeRoot(ctx.resolveRuntime(runtimeName).name);
  const record = join(root, id);
  const { cgroup } = ctx.facts;
  // No init yet: a create is under way that an earlier daemon began. What it makes after this would be missed.
  if (readPidFile(join(bundlePath, bundleFiles.initPid)) === undefined) killConmon(bundlePath);
  const lives = launch === undefined || readCgroupPids(cgroup, launch.cgroupPath).length > 0 || initLives(bundlePath);
  let failure = '';
  if (existsSync(record) && (lives || launch.poststopHooks)) {
    const argv = [runtime.path, ...runtime.args, `--root=${root}`, 'delete', '--force', id];
    const { exitCode, errorText } = await reportingHooks(ctx, id, bundlePath, () => runCommand(argv, { timeoutMs: deleteTimeoutMs }));
    if (exitCode !== 0) failure = errorText;
  }
  if (launch) {
    killCgroup(cgroup, launch.cgroupPath);
    await removeCgroup(cgroup, launch.cgroupPath);
  }
  rmSync(record, { recursive: true, force: true });
  await endConmon(ctx, id, bundlePath);
  if (failure !== '' && launch === undefined) throw new EngineError('internal', `Cannot remove container ${id}: ${failure}`);
  if (failure !== '') ctx.logger.warn(`Container ${id}: the runtime's delete failed, what it left was removed: ${failure}`);
}

function initLives(bundlePath: string): boolean {
  const pid = readPidFile(join(bundlePath, bundleFiles.initPid));
  // The number may have been taken by another process meanwhile: then `delete` only finds that there is nothing to kill.
  const stat = pid === undefined ? undefined : processStat(pid);
  return stat !== undefined && stat.state !== 'Z' && stat.state !== 'X';
}

/** Without its exit file written, a monitor could still write it, under the name of a container that is gone. */
async function endConmon(ctx: DriverContext, id: string, bundlePath: string): Promise<void> {
  for (let tries = 0; tries < conmonTries; tries++) {
    if (existsSync(join(ctx.exitDir, id)) || conmonPid(bundlePath) === undefined) return;
    await Bun.sleep(conmonPauseMs);
  }
  killConmon(bundlePath);
}
