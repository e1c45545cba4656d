import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { applyCgroupWrites, cgroupDir, type CgroupLayout, type CgroupWrite } from '../linux/index.ts';
import type { OciSpec } from './types.ts';

type Json = Record<string, unknown>;

function objectOf(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.fromEntries(Object.entries(value)) : {};
}

/**
 * Limits of a specification that the runtimes cannot set, and which we set between create and start: the files controller of
 * openEuler kernels (guide 1.3.3.6), unknown to both, and the weight of blkio on cgroup v1, whose files crun 1.8 looks for
 * under names that kernels since 5.0 do not have (`blkio.weight` for `blkio.bfq.weight`).
 */
export function splitOwnLimits(spec: OciSpec, layout: CgroupLayout): { spec: OciSpec; apply(cgroupPath: string, pid: number): void } {
  const resources = objectOf(spec.linux.resources);
  const { files, ...others } = resources;
  const limit = objectOf(files).limit;
  const { weight, weightDevice, ...blockIO } = objectOf(resources.blockIO);
  const takesWeights = layout.version === 1 && (weight !== undefined || weightDevice !== undefined);
  const rest = takesWeights ? { ...others, blockIO } : others;
  return {
    spec: { ...spec, linux: { ...spec.linux, resources: rest } },
    apply(cgroupPath, pid) {
      const writes: CgroupWrite[] = [];
      if (takesWeights) writes.push(...weightWrites(layout, cgroupPath, weight, weightDevice));
      if (typeof limit === 'number') writes.push(...filesWrites(layout, cgroupPath, limit, pid));
      applyCgroupWrites(writes);
    },
  };
}

function filesWrites(layout: CgroupLayout, cgroupPath: string, limit: number, pid: number): CgroupWrite[] {
  const dir = cgroupDir(layout, 'files', cgroupPath);
  if (dir === undefined) return [];
  mkdirSync(dir, { recursive: true });
  return [
    { path: join(dir, 'files.limit'), value: String(limit), what: '--files-limit' },
    { path: join(dir, 'cgroup.procs'), value: String(pid), what: '--files-limit', undo: '' },
  ];
}

function weightWrites(layout: CgroupLayout, cgroupPath: string, weight: unknown, devices: unknown): CgroupWrite[] {
  const writes: CgroupWrite[] = [];
  if (typeof weight === 'number') writes.push({ path: blkioWeightFile(layout, cgroupPath, 'weight'), value: String(weight), what: '--blkio-weight' });
  for (const each of Array.isArray(devices) ? devices : []) {
    const { major, minor, weight: value } = objectOf(each);
    const device = `${String(major)}:${String(minor)}`;
    writes.push({
      path: blkioWeightFile(layout, cgroupPath, 'weight_device'),
      value: `${device} ${String(value)}`,
      what: '--blkio-weight-device',
      undo: `${device} 0`,
    });
  }
  return writes;
}

/** A weight file of cgroup v1 under the name that this kernel has. */
export function blkioWeightFile(layout: CgroupLayout, cgroupPath: string, name: 'weight' | 'weight_device'): string {
  const dir = cgroupDir(layout, 'blkio', cgroupPath) ?? '/nonexistent';
  const plain = join(dir, `blkio.${name}`);
  return existsSync(plain) ? plain : join(dir, `blkio.bfq.${name}`);
}
