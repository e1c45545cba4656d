import type { RestartPolicy } from '../model/index.ts';

/** Docker's back-off: 100 ms, doubled by every restart that follows, at most one minute; a run of 10 s or more resets it. */
const restartDelay = { firstMs: 100, maxMs: 60_000, resetAfterMs: 10_000 } as const;

/** The exit code of a container whose init asked for a reboot (guide 2.3.4: ended by SIGHUP). */
const rebootExitCode = 129;

export interface ExitSituation {
  exitCode: number;
  /** Restarts so far. */
  restartCount: number;
  manuallyStopped: boolean;
}

/** Whether the policy restarts a container that just ended. */
export function restartsAfterExit(policy: RestartPolicy, exit: ExitSituation): boolean {
  if (exit.manuallyStopped) return false;
  switch (policy.Name) {
    case 'always':
    case 'unless-stopped':
      return true;
    case 'on-failure':
      return exit.exitCode !== 0 && (policy.MaximumRetryCount === 0 || exit.restartCount < policy.MaximumRetryCount);
    case 'on-reboot':
      return exit.exitCode === rebootExitCode;
    case 'no':
      return false;
  }
}

/** Whether a container that is not running is started when the daemon starts (docker's rules; `everStarted` excludes fresh ones). */
export function startsWithDaemon(policy: RestartPolicy, past: ExitSituation & { everStarted: boolean }): boolean {
  if (!past.everStarted) return false;
  switch (policy.Name) {
    case 'always':
      return true;
    case 'unless-stopped':
      return !past.manuallyStopped;
    default:
      return false;
  }
}

/** The delay before the next restart, given the last delay and how long the container ran. */
export function nextRestartDelay(lastDelayMs: number, ranMs: number): number {
  if (lastDelayMs === 0 || ranMs >= restartDelay.resetAfterMs) return restartDelay.firstMs;
  return Math.min(lastDelayMs * 2, restartDelay.maxMs);
}
