import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, watch, type FSWatcher } from 'node:fs';
import { join } from 'node:path';
import { errnoOf, isContainerId, type ContainerId } from '../base/index.ts';
import { readOomKills } from '../linux/index.ts';
import { bundleFiles, readLaunch } from './bundle.ts';
import type { DriverContext } from './context.ts';
import type { ExitRecord } from './types.ts';

/** The directory is also read from time to time, should a notification ever be lost. */
const rescanMs = 2000;

/** The record that conmon left for a container, if any. */
export function readExit(ctx: Pick<DriverContext, 'exitDir' | 'facts'>, id: ContainerId, bundlePath: string): ExitRecord | undefined {
  const path = join(ctx.exitDir, id);
  try {
    const exitCode = Number(readFileSync(path, 'latin1').trim());
    const launch = readLaunch(bundlePath);
    const oomKills = launch === undefined ? 0 : readOomKills(ctx.facts.cgroup, launch.cgroupPath);
    const oomKilled = oomKills > 0 || existsSync(join(bundlePath, bundleFiles.oomMarker));
    return { exitCode: Number.isInteger(exitCode) && exitCode >= 0 ? exitCode : 255, finishedAt: statSync(path).mtimeMs, oomKilled };
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Tells of exit files: each once, until it is cleared, to every watcher. */
export class ExitWatch {
  readonly #told = new Set<ContainerId>();
  readonly #listeners = new Set<(id: ContainerId) => void>();
  #watcher: FSWatcher | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(readonly directory: string) {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  }

  add(onExit: (id: ContainerId) => void): Disposable {
    this.#listeners.add(onExit);
    if (this.#watcher === undefined) {
      this.#watcher = watch(this.directory, (_event, name) => {
        if (typeof name === 'string') this.#look(name);
        else this.scan();
      });
      // A watch that fails leaves the rescan, which finds the same a little later.
      this.#watcher.on('error', () => undefined);
      this.#timer = setInterval(() => this.scan(), rescanMs);
      this.#timer.unref();
    }
    this.scan();
    return { [Symbol.dispose]: () => this.#drop(onExit) };
  }

  /** Forgets the exit file, so that a next one of the same container is told again. */
  clear(id: ContainerId): void {
    rmSync(join(this.directory, id), { force: true });
    this.#told.delete(id);
  }

  scan(): void {
    let names: string[] = [];
    try {
      names = readdirSync(this.directory);
    } catch (error) {
      // Someone emptied the state root under us: conmon cannot write there either, and the pids tell the engine.
      if (errnoOf(error) !== 'ENOENT') throw error;
    }
    for (const name of names) this.#look(name);
  }

  /** conmon writes under a temporary name and renames: only a whole file has an id for a name. */
  #look(name: string): void {
    if (!isContainerId(name) || this.#told.has(name) || !existsSync(join(this.directory, name))) return;
    this.#told.add(name);
    for (const listener of this.#listeners) listener(name);
  }

  #drop(onExit: (id: ContainerId) => void): void {
    this.#listeners.delete(onExit);
    if (this.#listeners.size > 0) return;
    this.#watcher?.close();
    this.#watcher = undefined;
    clearInterval(this.#timer);
  }
}
