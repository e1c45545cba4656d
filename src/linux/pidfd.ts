import { FFIType } from 'bun:ffi';
import { closeSync } from 'node:fs';
import { errnoOf } from '../base/index.ts';
import { check, openLibc } from './libc.ts';
import { processStartTime } from './process.ts';

const SYS_pidfd_send_signal = 424;
const SYS_pidfd_open = 434;

const open = openLibc({ syscall: { args: ['i64', 'i32', 'u32'], returns: FFIType.i64_fast } });
const send = openLibc({ syscall: { args: ['i64', 'i32', 'i32', 'ptr', 'u32'], returns: FFIType.i64_fast } });

/** A file descriptor that stands for one process and never for a later one of the same number. Close it. @throws ESRCH. */
export function pidfdOpen(pid: number): number {
  return check(open.syscall(SYS_pidfd_open, pid, 0), 'pidfd_open', String(pid));
}

/** Signal 0 only asks whether the process is there. @throws ESRCH when it is gone and reaped. */
export function pidfdSendSignal(pidfd: number, signal: number): void {
  check(send.syscall(SYS_pidfd_send_signal, pidfd, signal, null, 0), 'pidfd_send_signal');
}

/**
 * Signals the process that had this pid AND this start time (`processStartTime`), never one that got the number later.
 * Gives false when that process is gone.
 */
export function signalProcess(pid: number, startTime: number | bigint, signal: number): boolean {
  let pidfd: number;
  try {
    pidfd = pidfdOpen(pid);
  } catch (error) {
    if (errnoOf(error) === 'ESRCH' || errnoOf(error) === 'EINVAL') return false;
    throw error;
  }
  try {
    // The descriptor is open before the start time is read, so both speak of the same process or the comparison fails.
    const now = processStartTime(pid);
    if (now === undefined || BigInt(now) !== BigInt(startTime)) return false;
    pidfdSendSignal(pidfd, signal);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ESRCH') return false;
    throw error;
  } finally {
    closeSync(pidfd);
  }
}
