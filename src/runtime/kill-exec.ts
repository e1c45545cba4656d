import { constants } from 'node:os';
import { processStat, readCgroupPids, signalProcess, type ProcessStat } from '../linux/index.ts';
import { readPidFile } from './bundle.ts';
import type { ExecJob } from './exec.ts';

/** Kills what an exec started: its process, and those of the container that descend from it. False: it has started nothing yet. */
export function killExec({ ctx, launch, pidFile }: Pick<ExecJob, 'ctx' | 'launch' | 'pidFile'>): boolean {
  const first = readPidFile(pidFile);
  if (first === undefined) return false;
  const stats = new Map<number, ProcessStat>();
  for (const pid of [first, ...readCgroupPids(ctx.facts.cgroup, launch.cgroupPath)]) {
    const stat = processStat(pid);
    if (stat) stats.set(pid, stat);
  }
  const doomed = new Set([first]);
  // A child may be listed before its parent: until nothing more is found.
  for (let size = 0; size !== doomed.size;) {
    size = doomed.size;
    for (const [pid, { parentPid }] of stats) if (doomed.has(parentPid)) doomed.add(pid);
  }
  for (const pid of doomed) {
    const stat = stats.get(pid);
    if (stat) signalProcess(pid, stat.startTime, constants.signals.SIGKILL);
  }
  return true;
}
