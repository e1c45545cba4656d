import { readFileSync } from 'node:fs';

/** One line of proc(5) /proc/<pid>/mountinfo. */
export interface MountEntry {
  id: number;
  parentId: number;
  /** `major:minor`. */
  device: string;
  /** Which directory of the file system is mounted. */
  root: string;
  mountPoint: string;
  options: string[];
  /** `shared:N`, `master:N`, `propagate_from:N`, `unbindable`. */
  propagation: string[];
  fsType: string;
  source: string;
  superOptions: string[];
}

/** The mounts that a process (this one by default) sees, in the order of mounting. */
export function readMounts(pid: number | 'self' = 'self'): MountEntry[] {
  return parseMountInfo(readFileSync(`/proc/${pid}/mountinfo`, 'utf8'));
}

/** The mount that a path is on: the last mounted of those with the longest prefix. */
export function mountOf(path: string, mounts: readonly MountEntry[] = readMounts()): MountEntry | undefined {
  let best: MountEntry | undefined;
  for (const entry of mounts) {
    const inside = entry.mountPoint === '/' || path === entry.mountPoint || path.startsWith(`${entry.mountPoint}/`);
    if (inside && entry.mountPoint.length >= (best?.mountPoint.length ?? 0)) best = entry;
  }
  return best;
}

/** Lines that do not have the form are left out. */
export function parseMountInfo(text: string): MountEntry[] {
  const entries: MountEntry[] = [];
  for (const line of text.split('\n')) {
    const fields = line.split(' ');
    const dash = fields.indexOf('-', 6);
    const [id, parentId, device, root, mountPoint, options] = fields;
    const [fsType, source, superOptions] = dash < 0 ? [] : fields.slice(dash + 1);
    if (root === undefined || mountPoint === undefined || device === undefined || fsType === undefined || options === undefined) continue;
    entries.push({
      id: Number(id), parentId: Number(parentId), device, root: unescape(root), mountPoint: unescape(mountPoint), options: options.split(','),
      propagation: fields.slice(6, dash), fsType, source: unescape(source ?? ''), superOptions: (superOptions ?? '').split(','),
    });
  }
  return entries;
}

/** Space, tab, newline and backslash are written as \ and three octal digits. */
function unescape(text: string): string {
  return text.includes('\\') ? text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8))) : text;
}
