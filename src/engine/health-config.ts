import { EngineError } from '../base/index.ts';
import type { HealthConfig } from '../model/index.ts';

const nanosPerMs = 1e6;
/** Docker's least duration (moby: MinimumDuration), ns. */
const durationMinNanos = nanosPerMs;
const defaultIntervalMs = 30_000;
const defaultTimeoutMs = 30_000;
const defaultStartIntervalMs = 5000;
const defaultRetries = 3;
const retriesMax = 2 ** 31 - 1;

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

const durations = ['Interval', 'Timeout', 'StartPeriod', 'StartInterval'] as const;

/** @throws invalidArgument in docker's words; 0 stands for the default (guide 1.3.7.4). */
export function checkHealthConfig(config: HealthConfig): void {
  for (const name of durations) {
    const value = config[name] ?? 0;
    if (value !== 0 && value < durationMinNanos) throw new EngineError('invalidArgument', `${name} in Healthcheck cannot be less than 1ms`);
  }
  const retries = config.Retries ?? 0;
  if (retries < 0) throw new EngineError('invalidArgument', 'Retries in Healthcheck cannot be negative');
  if (retries > retriesMax || !Number.isInteger(retries)) {
    throw new EngineError('invalidArgument', `Retries in Healthcheck cannot be more than ${retriesMax}`);
  }
  const [kind, ...rest] = config.Test ?? [];
  if (kind === undefined || kind === 'NONE') {
    if (rest.length > 0) throw new EngineError('invalidArgument', 'Invalid Healthcheck: NONE takes no arguments');
    return;
  }
  if (kind !== 'CMD' && kind !== 'CMD-SHELL') {
    throw new EngineError('invalidArgument', `Unknown healthcheck type '${kind.slice(0, 80)}' (expected 'CMD')`);
  }
  if (rest.length === 0 || rest[0] === '') throw new EngineError('invalidArgument', `Invalid Healthcheck: ${kind} needs a command`);
  if (kind === 'CMD-SHELL' && rest.length > 1) throw new EngineError('invalidArgument', 'Invalid Healthcheck: CMD-SHELL takes one command');
}

/**
 * The container's settings over its image's, field by field: what is absent or 0 comes from the image (guide 4.3.3; moby:
 * merge of container and image configuration). `--no-healthcheck` is a Test of `["NONE"]`.
 */
export function mergeHealthConfig(container: HealthConfig | undefined, image: HealthConfig | undefined): HealthConfig | undefined {
  if (container === undefined || image === undefined || container.Test?.[0] === 'NONE') return container ?? image;
  const merged: HealthConfig = { ...image };
  if (container.Test !== undefined && container.Test.length > 0) merged.Test = container.Test;
  for (const name of [...durations, 'Retries'] as const) {
    const value = container[name];
    if (value !== undefined && value !== 0) merged[name] = value;
  }
  if (container.ExitOnUnhealthy !== undefined) merged.ExitOnUnhealthy = container.ExitOnUnhealthy;
  return merged;
}

/** What is to be run and when; undefined: the container has no health check. `shell`: of CMD-SHELL. */
export function healthCheckOf(config: HealthConfig | undefined, shell: readonly string[] | undefined): HealthCheck | undefined {
  const [kind, ...rest] = config?.Test ?? [];
  if (config === undefined || kind === undefined || kind === 'NONE') return undefined;
  const orDefault = (nanos: number | undefined, ms: number): number => (nanos === undefined || nanos === 0 ? ms : nanos / nanosPerMs);
  return {
    command: kind === 'CMD-SHELL' ? [...(shell === undefined || shell.length === 0 ? ['/bin/sh', '-c'] : shell), ...rest] : rest,
    intervalMs: orDefault(config.Interval, defaultIntervalMs),
    timeoutMs: orDefault(config.Timeout, defaultTimeoutMs),
    startPeriodMs: orDefault(config.StartPeriod, 0),
    startIntervalMs: orDefault(config.StartInterval, defaultStartIntervalMs),
    retries: config.Retries === undefined || config.Retries === 0 ? defaultRetries : config.Retries,
    exitOnUnhealthy: config.ExitOnUnhealthy ?? false,
  };
}
