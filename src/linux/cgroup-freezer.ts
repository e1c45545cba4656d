import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError } from '../base/index.ts';
import { readCgroupFile, readCgroupPairs, writeCgroupFile } from './cgroup-file.ts';
import { cgroupDir, type CgroupLayout } from './cgroup-layout.ts';

/** A process in an uninterruptible sleep keeps a cgroup in FREEZING; so long it is waited for. */
const freezeTimeoutMs = 10_000;
const pauseMs = 2;
/** After so many looks a v1 cgroup that hangs in FREEZING is thawed for a moment: a new try gets past what held the last one. */
const looksPerTry = 50;
const thawedMs = 10;

function freezerDir(layout: CgroupLayout, cgroupPath: string): string {
  const dir = cgroupDir(layout, 'freezer', cgroupPath);
  if (dir === undefined) throw new EngineError('unsupported', 'Cannot pause a container: the freezer cgroup is not mounted on this host');
  if (!existsSync(dir)) throw new EngineError('conflict', `Cannot pause or resume: cgroup ${cgroupPath} does not exist`);
  return dir;
}

/** Stops all processes of a cgroup and waits until they stand. @throws timeout; they run again then. */
export async function freezeCgroup(layout: CgroupLayout, cgroupPath: string): Promise<void> {
  const dir = freezerDir(layout, cgroupPath);
  const deadline = Date.now() + freezeTimeoutMs;
  for (let look = 1; ; look++) {
    // v1 can be stuck in FREEZING until it is told again (kernel, freezer-subsystem.rst).
    setFrozen(layout, dir, true);
    if (isCgroupFrozen(layout, cgroupPath)) return;
    if (Date.now() > deadline) {
      setFrozen(layout, dir, false);
      throw new EngineError('timeout', `Cannot pause: processes in cgroup ${cgroupPath} did not stop within ${freezeTimeoutMs} ms`);
    }
    if (look % looksPerTry === 0) {
      setFrozen(layout, dir, false);
      await Bun.sleep(thawedMs);
    } else await Bun.sleep(pauseMs);
  }
}

export async function thawCgroup(layout: CgroupLayout, cgroupPath: string): Promise<void> {
  const dir = freezerDir(layout, cgroupPath);
  const deadline = Date.now() + freezeTimeoutMs;
  setFrozen(layout, dir, false);
  while (isCgroupFrozen(layout, cgroupPath)) {
    if (Date.now() > deadline) {
      throw new EngineError('timeout', `Cannot resume: cgroup ${cgroupPath} is still frozen after ${freezeTimeoutMs} ms; is one above it frozen?`);
    }
    await Bun.sleep(pauseMs);
  }
}

/** False also for a cgroup that is gone. */
export function isCgroupFrozen(layout: CgroupLayout, cgroupPath: string): boolean {
  const dir = cgroupDir(layout, 'freezer', cgroupPath);
  if (dir === undefined) return false;
  if (layout.version === 2) return readCgroupPairs(join(dir, 'cgroup.events')).frozen === 1;
  return readCgroupFile(join(dir, 'freezer.state')) === 'FROZEN';
}

function setFrozen(layout: CgroupLayout, dir: string, frozen: boolean): void {
  if (layout.version === 2) writeCgroupFile(join(dir, 'cgroup.freeze'), frozen ? '1' : '0');
  else writeCgroupFile(join(dir, 'freezer.state'), frozen ? 'FROZEN' : 'THAWED');
}
