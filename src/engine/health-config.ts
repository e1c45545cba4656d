import type { HealthConfig } from '../model/index.ts';

const nanosPerMs = 1e6;
/** Docker's least duration. */
const durationMinMs = 1;
const defaultIntervalMs = 30_000;
const defaultTimeoutMs = 30_000;
const defaultStartIntervalMs = 5000;
const defaultRetries = 3;

/** A container's health check with every default filled in (guide 1.3.7.2). */
export interface HealthCheck {
  readonly command: readonly string[];
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly startPeriodMs: number;
  readonly startIntervalMs: number;
  readonly retries: number;
  readonly exitOnUnhealthy: boolean;
}

/** What is to be run and when; undefined: the container has no health check. `shell`: of CMD-SHELL. */
export function healthCheckOf(config: HealthConfig | undefined, shell: readonly string[] | undefined): HealthCheck | undefined {
  const [kind, ...rest] = config?.Test ?? [];
  // What the user gives was validated; what an image holds may be anything.
  if (config === undefined || (kind !== 'CMD' && kind !== 'CMD-SHELL') || rest.length === 0) return undefined;
  const orDefault = (nanos: number | undefined, ms: number): number => (
    nanos === undefined || nanos <= 0 ? ms : Math.max(durationMinMs, nanos / nanosPerMs)
  );
  return {
    command: kind === 'CMD-SHELL' ? [...(shell === undefined || shell.length === 0 ? ['/bin/sh', '-c'] : shell), ...rest] : rest,
    intervalMs: orDefault(config.Interval, defaultIntervalMs),
    timeoutMs: orDefault(config.Timeout, defaultTimeoutMs),
    startPeriodMs: orDefault(config.StartPeriod, 0),
    startIntervalMs: orDefault(config.StartInterval, defaultStartIntervalMs),
    retries: config.Retries === undefined || config.Retries <= 0 ? defaultRetries : config.Retries,
    exitOnUnhealthy: config.ExitOnUnhealthy ?? false,
  };
}
