import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError, errnoOf } from '../base/index.ts';

/** Files of a bundle directory. The bundle lies under the state root, which a reboot empties, so nothing needs to be durable. */
export const bundleFiles = {
  config: 'config.json',
  /** What we must know of a container that an earlier daemon made. */
  launch: 'launch.json',
  initPid: 'init.pid',
  conmonPid: 'conmon.pid',
  attachSocket: 'attach',
  /** FIFOs that conmon reads: log control, terminal size. */
  control: 'ctl',
  windowSize: 'winsz',
  /** Made by conmon, in its working directory, when the kernel killed for want of memory. */
  oomMarker: 'oom',
  execs: 'execs',
  /** What hooks write to their standard error, under crun. */
  hookErrors: 'hooks.err',
} as const;

/** How a container was launched; written before anything else is made. */
export interface Launch {
  runtime: { path: string; args: string[] };
  /** The runtime's own state directory. */
  runtimeRoot: string;
  cgroupPath: string;
  terminal: boolean;
  openStdin: boolean;
  stdinOnce: boolean;
  /** The runtime runs hooks when the container is started. */
  poststartHooks: boolean;
  /** The runtime runs hooks when the container is deleted. */
  poststopHooks: boolean;
}

export function writeLaunch(bundlePath: string, launch: Launch): void {
  writeFileSync(join(bundlePath, bundleFiles.launch), JSON.stringify(launch), { mode: 0o600 });
}

/** Undefined when the bundle was never launched or is gone. @throws internal when the file is not ours. */
export function readLaunch(bundlePath: string): Launch | undefined {
  const path = join(bundlePath, bundleFiles.launch);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
  const parsed: unknown = JSON.parse(text);
  if (!isLaunch(parsed)) throw new EngineError('internal', `Cannot read ${path}: it has not the form that this daemon writes`);
  return parsed;
}

function isLaunch(value: unknown): value is Launch {
  if (typeof value !== 'object' || value === null) return false;
  if (!('runtime' in value && 'runtimeRoot' in value && 'cgroupPath' in value && 'terminal' in value && 'stdinOnce' in value)) return false;
  return typeof value.runtime === 'object' && typeof value.runtimeRoot === 'string' && typeof value.cgroupPath === 'string';
}

/** A pid file's number; undefined when it is missing or empty. */
export function readPidFile(path: string): number | undefined {
  try {
    const pid = Number(readFileSync(path, 'latin1').trim());
    return Number.isSafeInteger(pid) && pid > 0 ? pid : undefined;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}
