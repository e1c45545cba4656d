import { closeSync, readdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf, failPoint } from '../base/index.ts';
import { readCgroupFile, writeCgroupFile } from './cgroup-file.ts';
import { cgroupDir, cgroupDirs, type CgroupLayout } from './cgroup-layout.ts';
import { pidfdOpen, pidfdSendSignal } from './pidfd.ts';

/** Cgroups below a container's are its own to make (systemd does): so deep and so many are looked at. */
const depthLimit = 32;
const cgroupsLimit = 10_000;
/** A killed process leaves its cgroup a little later; so often, and so far apart, the removal is tried. */
const removeTries = 200;
const removePauseMs = 10;
const killRounds = 8;

/** The hierarchies that know all processes, best first. */
const procsControllers = ['pids', 'freezer', 'memory', 'cpu', 'name=systemd', ''];

/** A directory and all below it, deepest last. */
function tree(dir: string, depth = 0, found: string[] = []): string[] {
  if (found.length >= cgroupsLimit) return found;
  found.push(dir);
  if (depth >= depthLimit) return found;
  let names: string[] = [];
  try {
    names = readdirSync(dir, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT' && errnoOf(error) !== 'ENODEV') throw error;
  }
  for (const name of names) tree(join(dir, name), depth + 1, found);
  return found;
}

function procsDir(layout: CgroupLayout, cgroupPath: string): string | undefined {
  for (const controller of procsControllers) {
    const dir = cgroupDir(layout, controller, cgroupPath);
    if (dir !== undefined) return dir;
  }
  return undefined;
}

/** All pids in a cgroup and in those below it, in no order; none when it is gone. */
export function readCgroupPids(layout: CgroupLayout, cgroupPath: string): number[] {
  const dir = procsDir(layout, cgroupPath);
  const pids = new Set<number>();
  for (const each of dir === undefined ? [] : tree(dir)) {
    for (const line of readCgroupFile(join(each, 'cgroup.procs'))?.split('\n') ?? []) {
      const pid = Number(line);
      if (pid > 0) pids.add(pid);
    }
  }
  return [...pids];
}

/**
 * SIGKILL to all in a cgroup: by cgroup.kill (kernel 5.14, cgroup v2) or by freezing, listing and killing, so that a fork
 * bomb cannot outrun the list. A frozen v1 cgroup is thawed, because signals wait for that.
 */
export function killCgroup(layout: CgroupLayout, cgroupPath: string): void {
  if (layout.version === 2) {
    const dir = cgroupDir(layout, '', cgroupPath);
    if (dir !== undefined && readCgroupFile(join(dir, 'cgroup.type')) !== undefined && tryWrite(join(dir, 'cgroup.kill'), '1')) return;
  }
  const freezer = layout.version === 1 ? cgroupDir(layout, 'freezer', cgroupPath) : undefined;
  for (let round = 0; round < killRounds; round++) {
    if (freezer !== undefined) tryWrite(join(freezer, 'freezer.state'), 'FROZEN');
    const pids = readCgroupPids(layout, cgroupPath);
    for (const pid of pids) kill(pid);
    failPoint('kill.frozen');
    if (freezer !== undefined) tryWrite(join(freezer, 'freezer.state'), 'THAWED');
    if (pids.length === 0) return;
  }
}

function kill(pid: number): void {
  try {
    const fd = pidfdOpen(pid);
    try {
      pidfdSendSignal(fd, 9);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    // EINVAL: a thread, not a process: its leader is in the list too.
    if (errnoOf(error) !== 'ESRCH' && errnoOf(error) !== 'EINVAL') throw error;
  }
}

function tryWrite(path: string, value: string): boolean {
  try {
    writeCgroupFile(path, value);
    return true;
  } catch {
    return false;
  }
}

/**
 * Removes a cgroup and those below it from all hierarchies, waiting for processes that are still leaving.
 * @throws the last EBUSY when something in it goes on living.
 */
export async function removeCgroup(layout: CgroupLayout, cgroupPath: string): Promise<void> {
  for (const root of cgroupDirs(layout, cgroupPath)) {
    for (const dir of tree(root).reverse()) await removeDir(dir);
  }
}

async function removeDir(dir: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      rmdirSync(dir);
      return;
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return;
      if (errnoOf(error) !== 'EBUSY' || tries >= removeTries) throw error;
      await Bun.sleep(removePauseMs);
    }
  }
}
