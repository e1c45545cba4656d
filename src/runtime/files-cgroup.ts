import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { applyCgroupWrites, cgroupDir, type CgroupLayout } from '../linux/index.ts';
import type { OciSpec } from './types.ts';

/**
 * The files controller (openEuler kernels; guide 1.3.3.6) is unknown to crun and runc: the container's first process is put into a
 * cgroup of it before it starts anything.
 * @throws as the kernel refuses, for a limit below the files that are open already.
 */
export function joinFilesCgroup(layout: CgroupLayout, cgroupPath: string, spec: OciSpec, pid: number): void {
  const limit = filesLimitOf(spec);
  const dir = limit === undefined ? undefined : cgroupDir(layout, 'files', cgroupPath);
  if (dir === undefined) return;
  mkdirSync(dir, { recursive: true });
  applyCgroupWrites([
    { path: join(dir, 'files.limit'), value: String(limit), what: '--files-limit' },
    { path: join(dir, 'cgroup.procs'), value: String(pid), what: '--files-limit', undo: '' },
  ]);
}

function filesLimitOf(spec: OciSpec): number | undefined {
  const { resources } = spec.linux;
  if (typeof resources !== 'object' || resources === null || !('files' in resources)) return undefined;
  const { files } = resources;
  return typeof files === 'object' && files !== null && 'limit' in files && typeof files.limit === 'number' ? files.limit : undefined;
}
