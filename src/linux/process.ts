import { readFileSync } from 'node:fs';
import { errnoOf } from '../base/index.ts';

export interface ProcessStat {
  /** One letter: R, S, D, Z (ended, not reaped), X … */
  state: string;
  parentPid: number;
  /** Clock ticks after boot (proc(5), stat field 22). */
  startTime: number;
}

/** proc(5) /proc/<pid>/stat; undefined when there is no such process. */
export function processStat(pid: number): ProcessStat | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch (error) {
    const code = errnoOf(error);
    if (code === 'ENOENT' || code === 'ESRCH') return undefined;
    throw error;
  }
  // The name (field 2) may itself hold spaces and parentheses: the fields are counted from its last one.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, parent] = fields;
  const start = Number(fields[19]);
  if (state === undefined || !Number.isSafeInteger(start)) return undefined;
  return { state, parentPid: Number(parent), startTime: start };
}

/**
 * When a process started, in clock ticks after boot. With the pid it names one process for as long as the host is up.
 * Undefined when there is none; a process that ended and waits to be reaped (zombie) still has one.
 */
export function processStartTime(pid: number): number | undefined {
  return processStat(pid)?.startTime;
}

/** True while the process of this pid and start time runs; an ended one that nobody reaped does not run. */
export function isProcessRunning(pid: number, startTime: number): boolean {
  const stat = processStat(pid);
  return stat !== undefined && stat.startTime === startTime && stat.state !== 'Z' && stat.state !== 'X';
}

/** A capability set of this process (`/proc/self/status`: CapEff, CapBnd, CapPrm, CapInh, CapAmb), bit n = capability n. */
export function ownCapabilities(set: 'CapEff' | 'CapBnd' | 'CapPrm' | 'CapInh' | 'CapAmb'): bigint {
  const match = new RegExp(`^${set}:\\s*([0-9a-f]+)$`, 'm').exec(readFileSync('/proc/self/status', 'latin1'));
  return match?.[1] === undefined ? 0n : BigInt(`0x${match[1]}`);
}

/** A resource limit of this process (`/proc/self/limits`), Infinity for unlimited. `name` as the file writes it: `Max open files`. */
export function ownLimit(name: string): { soft: number; hard: number } | undefined {
  for (const line of readFileSync('/proc/self/limits', 'latin1').split('\n')) {
    if (!line.startsWith(`${name} `)) continue;
    const [soft, hard] = line.slice(name.length).trim().split(/\s+/);
    if (soft === undefined || hard === undefined) return undefined;
    return { soft: soft === 'unlimited' ? Infinity : Number(soft), hard: hard === 'unlimited' ? Infinity : Number(hard) };
  }
  return undefined;
}
