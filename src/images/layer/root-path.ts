import { closeSync, constants, openSync } from 'node:fs';
import { EngineError, errnoOf } from '../../base/index.ts';
import { O_PATH, openat2, rawBytes, readlinkAt, RESOLVE_BENEATH, S_IFDIR, S_IFLNK, S_IFMT, statAt, type FileStat } from '../../linux/index.ts';

/** A mount of the container that the daemon's view of its root file system lacks. */
export interface RootMount {
  /** Absolute path in the container, clean. */
  destination: string;
  /** Absolute path on the host. */
  source: string;
  readOnly: boolean;
}

/** As the kernel's own limit on links in one lookup (MAXSYMLINKS), with room for those that lead through others. */
const linksMax = 255;
const depthMax = 500;

/** What a path in a container leads to. */
export interface ResolvedPath extends Disposable {
  /** Opened with O_PATH; of a link that was not followed, the link itself. */
  fd: number;
  stat: FileStat;
  /** The path without links, raw, without leading slash. */
  path: string;
  readOnly: boolean;
}

interface Step {
  name: string;
  fd: number;
  readOnly: boolean;
}

/**
 * Follows paths as a process in the container would, through its volumes as well. Each step opens one name relative to the
 * directory before it, without following a link; links are read and followed here, from the container's root. So whatever a
 * running container renames or swaps meanwhile, no step can leave the trees: there is no `..` and no link for the kernel to follow.
 */
export class RootPaths {
  readonly #mounts: ReadonlyMap<string, RootMount>;

  constructor(
    private readonly root: string,
    mounts: readonly RootMount[],
    private readonly rootReadOnly: boolean,
  ) {
    this.#mounts = new Map(mounts.map((mount) => [rawPath(mount.destination), mount]));
  }

  /** Mounts below a path without links, with their places relative to it. */
  mountsBelow(path: string): { path: string; source: string }[] {
    const prefix = path === '' ? '' : `${path}/`;
    const below: { path: string; source: string }[] = [];
    for (const [destination, { source }] of this.#mounts) {
      if (destination !== path && destination.startsWith(prefix)) below.push({ path: destination.slice(prefix.length), source });
    }
    return below.sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  /** @throws SyscallError ENOENT, ENOTDIR, ELOOP … */
  resolve(path: string, followLast: boolean): ResolvedPath {
    const walk = new Walk(this.root, this.#mounts, this.rootReadOnly);
    try {
      return walk.run(path, followLast);
    } catch (error) {
      walk.closeAll();
      throw error;
    }
  }

  /** Like `resolve`, for the path of a directory that is to be written to. Close the descriptor. */
  openDir(path: string): number {
    const resolved = this.resolve(path, true);
    if (resolved.readOnly) {
      resolved[Symbol.dispose]();
      throw new EngineError('forbidden', 'mounted volume is marked read-only');
    }
    return resolved.fd;
  }
}

/** A container's path as raw text without leading slash. */
export function rawPath(path: string): string {
  return Buffer.from(path).toString('latin1').split('/').filter((part) => part !== '').join('/');
}

class Walk {
  readonly #steps: Step[] = [];
  #links = 0;

  constructor(
    root: string,
    private readonly mounts: ReadonlyMap<string, RootMount>,
    rootReadOnly: boolean,
  ) {
    this.#steps.push({ name: '', fd: openSync(root, O_PATH | constants.O_DIRECTORY), readOnly: rootReadOnly });
  }

  run(path: string, followLast: boolean): ResolvedPath {
    const todo = path.split('/').reverse();
    for (let part = todo.pop(); part !== undefined; part = todo.pop()) {
      if (part === '' || part === '.') continue;
      const here = this.#top();
      if (!isDir(statAt(here.fd, ''))) throw failure('ENOTDIR', path);
      if (part === '..') {
        if (this.#steps.length > 1) this.#drop();
        continue;
      }
      if (this.#steps.length > depthMax) throw failure('ENAMETOOLONG', path);
      const step = this.#enter(here, part);
      this.#steps.push(step);
      const isLink = (statAt(step.fd, '').mode & S_IFMT) === S_IFLNK;
      if (!isLink || (!followLast && todo.every((rest) => rest === ''))) continue;
      if (++this.#links > linksMax) throw failure('ELOOP', path);
      const target = readlinkAt(step.fd, '').toString('latin1');
      this.#drop();
      if (target.startsWith('/')) while (this.#steps.length > 1) this.#drop();
      todo.push(...target.split('/').reverse());
    }
    return this.#result();
  }

  #enter(here: Step, name: string): Step {
    const path = [...this.#steps.slice(1).map((step) => step.name), name].join('/');
    const mount = this.mounts.get(path);
    if (mount) return { name, fd: openSync(mount.source, O_PATH), readOnly: mount.readOnly };
    return { name, fd: openat2(here.fd, rawBytes(name), O_PATH | constants.O_NOFOLLOW, RESOLVE_BENEATH), readOnly: here.readOnly };
  }

  #result(): ResolvedPath {
    const { fd, readOnly } = this.#top();
    const path = this.#steps.slice(1).map((step) => step.name).join('/');
    const stat = statAt(fd, '');
    this.#steps.pop();
    this.closeAll();
    return { fd, stat, path, readOnly, [Symbol.dispose]: () => closeSync(fd) };
  }

  #top(): Step {
    const top = this.#steps.at(-1);
    if (!top) throw new EngineError('internal', 'Cannot follow a path: its root is closed');
    return top;
  }

  #drop(): void {
    const step = this.#steps.pop();
    if (step) closeSync(step.fd);
  }

  closeAll(): void {
    while (this.#steps.length > 0) this.#drop();
  }
}

function isDir(stat: FileStat): boolean {
  return (stat.mode & S_IFMT) === S_IFDIR;
}

function failure(code: 'ENOTDIR' | 'ELOOP' | 'ENAMETOOLONG', path: string): Error {
  return Object.assign(new Error(`${path}: ${code}`), { code });
}

/** True for what a lookup says of a path that leads nowhere. */
export function leadsNowhere(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG'].includes(errnoOf(error) ?? '');
}
