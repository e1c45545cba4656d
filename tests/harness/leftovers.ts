import { existsSync, readFileSync, readdirSync, realpathSync, rmSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { umount } from '../../src/linux/index.ts';

/** What a daemon of tests may leave on the host. */
export interface Footprint {
  /** Holds everything: graph, state, sockets. */
  dir: string;
  /** Name of the cgroup parent, without a slash. */
  cgroup: string;
}

/** What is left of containers after all of them were removed and the daemon has stopped: nothing, when all is well. */
export function leftovers({ dir, cgroup }: Footprint): string[] {
  return [
    ...processesOf(dir).map(({ pid, command }) => `process ${pid}: ${command}`),
    ...mountsBelow(dir).map((path) => `mount ${path}`),
    ...cgroupDirs(cgroup).flatMap((path) => subdirectories(path)).map((path) => `cgroup ${path}`),
    ...['state/bundles', 'state/exits', 'graph/engines/lcr', 'graph/storage/overlay2/containers', 'graph/storage/overlay2/staging']
      .flatMap((folder) => entries(join(dir, folder)).map((name) => `file ${join(dir, folder, name)}`)),
    ...entries(dir).filter((name) => name.endsWith('.sock')).map((name) => `socket ${join(dir, name)}`),
  ];
}

/** Removes all of it: processes, mounts, cgroups, files. */
export function wipe({ dir, cgroup }: Footprint): void {
  for (const { pid } of processesOf(dir)) kill(pid);
  const cgroups = cgroupDirs(cgroup);
  for (const path of cgroups.flatMap((parent) => subdirectories(parent))) thaw(path);
  for (const path of cgroups) removeCgroup(path);
  const MNT_DETACH = 2;
  for (const path of mountsBelow(dir).reverse()) umount(path, MNT_DETACH);
  rmSync(dir, { recursive: true, force: true });
}

/** Clears what test runs left that died: their process is in the directory's name. */
export function sweep(parent: string, prefix: string): void {
  for (const name of entries(parent)) {
    const pid = new RegExp(`^${prefix}([0-9]+)-`).exec(name)?.[1];
    if (pid === undefined || existsSync(`/proc/${pid}`)) continue;
    try {
      wipe({ dir: join(parent, name), cgroup: name });
    } catch (error) {
      // What another run left is no fault of this one; the next sweep tries again.
      console.warn(`Cannot clear ${name}, left by a run that died: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}

function entries(path: string): string[] {
  return existsSync(path) ? readdirSync(path) : [];
}

/** Processes other than this one that name the directory in their arguments or environment. */
export function processesOf(dir: string): { pid: number; command: string }[] {
  return readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name) && Number(name) !== process.pid).flatMap((name) => {
    try {
      const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
      const names = `${command} `.includes(`${dir}/`) || readFileSync(`/proc/${name}/environ`, 'utf8').includes(`${dir}/`);
      return names && command !== '' ? [{ pid: Number(name), command: command.slice(0, 200) }] : [];
    } catch {
      return [];
    }
  });
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It is gone already.
  }
}

export function mountsBelow(dir: string): string[] {
  const points = readFileSync('/proc/self/mountinfo', 'utf8').split('\n').map((line) => line.split(' ')[4] ?? '');
  return points.filter((path) => path.startsWith(`${dir}/`));
}

/** The parent's directory in every hierarchy. */
export function cgroupDirs(cgroup: string): string[] {
  const hierarchies = ['', ...entries('/sys/fs/cgroup')].map((name) => join('/sys/fs/cgroup', name, cgroup));
  return [...new Set(hierarchies.filter((path) => existsSync(path)).map((path) => realpathSync(path)))];
}

export function subdirectories(path: string): string[] {
  return readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map((entry) => join(path, entry.name));
}

/** A frozen process of cgroup v1 dies only once it is thawed. */
function thaw(path: string): void {
  const state = join(path, 'freezer.state');
  if (existsSync(state)) writeFileSync(state, 'THAWED');
}

export function removeCgroup(path: string): void {
  for (const child of subdirectories(path)) removeCgroup(child);
  for (let attempt = 0; ; attempt++) {
    try {
      for (const pid of readFileSync(join(path, 'cgroup.procs'), 'utf8').split('\n').filter((line) => line !== '')) kill(Number(pid));
      rmdirSync(path);
      return;
    } catch (error) {
      // A killed process leaves its cgroup a moment later.
      if (!existsSync(path)) return;
      if (attempt > 100) throw error;
      Bun.sleepSync(10);
    }
  }
}
