import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError, writeFileDurably } from '../base/index.ts';
import type { CgroupLayout } from '../linux/index.ts';
import { childEnvironment } from './run-command.ts';

/** A program that we use, and what it says of itself. */
export interface Tool {
  path: string;
  /** First line of --version. */
  version: string;
}

const versionLimit = 200;
/** First crun that takes a compiled seccomp filter. */
const seccompProgramSince = [0, 19];

/** Asks programs for their version, once per program: the answers are kept in a file, by the program's time and size. */
export class VersionProbe {
  #known: Record<string, { stamp: string; version: string }>;
  #changed = false;

  constructor(readonly cachePath: string) {
    this.#known = readCache(cachePath);
  }

  /** Undefined when the program is not installed or does not run. `name`: bare, or an absolute path. */
  async find(name: string): Promise<Tool | undefined> {
    const path = name.startsWith('/') ? name : childEnvironment.PATH.split(':').map((dir) => join(dir, name)).find((each) => existsSync(each));
    const stat = path === undefined ? undefined : statSync(path, { throwIfNoEntry: false });
    if (path === undefined || !stat?.isFile()) return undefined;
    const stamp = `${stat.ino}:${stat.mtimeMs}:${stat.size}`;
    const known = this.#known[path];
    if (known?.stamp === stamp) return { path, version: known.version };
    const version = await askVersion(path);
    if (version === undefined) return undefined;
    this.#known[path] = { stamp, version };
    this.#changed = true;
    return { path, version };
  }

  /** Keeps what was learnt. */
  save(): void {
    if (this.#changed) writeFileDurably(this.cachePath, JSON.stringify(this.#known));
    this.#changed = false;
  }
}

function readCache(path: string): Record<string, { stamp: string; version: string }> {
  const known: Record<string, { stamp: string; version: string }> = {};
  try {
    const parsed: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (typeof parsed !== 'object' || parsed === null) return known;
    for (const [key, value] of Object.entries(parsed)) {
      if (typeof value !== 'object' || value === null || !('stamp' in value && 'version' in value)) continue;
      if (typeof value.stamp === 'string' && typeof value.version === 'string') known[key] = { stamp: value.stamp, version: value.version };
    }
  } catch {
    // A missing or broken cache costs three short-lived children, no more.
  }
  return known;
}

async function askVersion(path: string): Promise<string | undefined> {
  try {
    const child = Bun.spawn([path, '--version'], { stdin: 'ignore', stdout: 'pipe', stderr: 'ignore', env: childEnvironment, timeout: 10_000 });
    const text = await new Response(child.stdout).text();
    return (await child.exited) === 0 ? (text.split('\n', 1)[0] ?? '').trim().slice(0, versionLimit) : undefined;
  } catch {
    return undefined;
  }
}

/** Why crun would refuse this host, or undefined (crun's libcrun/cgroup.c, all versions up to 1.20). */
export function crunRefusal(layout: CgroupLayout, unifiedControllers: string): string | undefined {
  if (layout.mounts.size === 0) return 'no cgroups are mounted';
  if (!layout.hybrid || unifiedControllers.trim() === '') return undefined;
  return `crun refuses a host with cgroup v1 whose cgroup2 mount still holds controllers (${unifiedControllers.trim().split(/\s+/).join(', ')})`;
}

/** The light runtime of this host. @throws unavailable when there is none. */
export function chooseRuntime(crun: Tool | undefined, runc: Tool | undefined, refusal: string | undefined): Tool & { name: string; reason: string } {
  if (crun && refusal === undefined) return { ...crun, name: 'crun', reason: 'crun is installed and supports the cgroup layout of this host' };
  if (runc) return { ...runc, name: 'runc', reason: crun ? (refusal ?? '') : 'crun is not installed' };
  if (crun) throw new EngineError('unavailable', `Cannot choose a container runtime: ${refusal ?? ''}, and runc is not installed`);
  throw new EngineError('unavailable', 'Cannot choose a container runtime: neither crun nor runc is installed');
}

/** True for a crun that takes a compiled seccomp filter. */
export function takesSeccompProgram(version: string): boolean {
  const [major, minor] = /^crun version (\d+)\.(\d+)/.exec(version)?.slice(1).map(Number) ?? [];
  if (major === undefined || minor === undefined) return false;
  const [sinceMajor = 0, sinceMinor = 0] = seccompProgramSince;
  return major > sinceMajor || (major === sinceMajor && minor >= sinceMinor);
}

/** cgroup.controllers of the cgroup2 mount of a hybrid host. */
export function readUnifiedControllers(layout: CgroupLayout): string {
  const path = join(layout.mounts.get('') ?? '/nonexistent', 'cgroup.controllers');
  return existsSync(path) ? readFileSync(path, 'latin1') : '';
}
