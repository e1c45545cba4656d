import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseMountInfo } from './mountinfo.ts';

/** How this host mounts its cgroups. */
export interface CgroupLayout {
  version: 1 | 2;
  /** cgroup v1 controllers beside a cgroup2 mount. */
  hybrid: boolean;
  /** v1: controller (`memory`, `name=systemd`, …) -> mount point. The cgroup2 mount, if any, is under `''`. */
  mounts: ReadonlyMap<string, string>;
  /** Controllers that can be used. */
  controllers: ReadonlySet<string>;
}

/** Mount options of a v1 hierarchy that are not controllers. */
const notControllers = new Set(['rw', 'ro', 'noprefix', 'clone_children', 'xattr', 'cpuset_v2_mode', 'none', 'relatime']);

/**
 * The layout that a mountinfo text describes (cgroups(7)). `controllersOf` gives the text of `cgroup.controllers` of a
 * cgroup2 mount, which lists what is free for it.
 */
export function parseCgroupLayout(mountInfo: string, controllersOf: (mountPoint: string) => string): CgroupLayout {
  const mounts = new Map<string, string>();
  const controllers = new Set<string>();
  let unified: string | undefined;
  for (const entry of parseMountInfo(mountInfo)) {
    if (entry.fsType === 'cgroup2') unified ??= entry.mountPoint;
    if (entry.fsType !== 'cgroup') continue;
    for (const option of entry.superOptions) {
      if (notControllers.has(option) || option.startsWith('release_agent=') || mounts.has(option)) continue;
      mounts.set(option, entry.mountPoint);
      if (!option.startsWith('name=')) controllers.add(option);
    }
  }
  const version = controllers.size > 0 || unified === undefined ? 1 : 2;
  if (unified !== undefined) {
    mounts.set('', unified);
    if (version === 2) for (const name of controllersOf(unified).split(/\s+/)) if (name !== '') controllers.add(name);
  }
  return { version, hybrid: version === 1 && unified !== undefined, mounts, controllers };
}

/** The layout of this host, as it is now. */
export function readCgroupLayout(): CgroupLayout {
  return parseCgroupLayout(readFileSync('/proc/self/mountinfo', 'utf8'), (mountPoint) => {
    const path = join(mountPoint, 'cgroup.controllers');
    return existsSync(path) ? readFileSync(path, 'utf8') : '';
  });
}

/** A cgroup's directory in one controller's hierarchy (v2: in the only one); undefined where the controller is missing. */
export function cgroupDir(layout: CgroupLayout, controller: string, cgroupPath: string): string | undefined {
  const mount = layout.mounts.get(layout.version === 2 ? '' : controller);
  return mount === undefined ? undefined : join(mount, cgroupPath);
}

/** A cgroup's directories in all hierarchies, each once. */
export function cgroupDirs(layout: CgroupLayout, cgroupPath: string): string[] {
  return [...new Set(layout.mounts.values())].map((mount) => join(mount, cgroupPath));
}
