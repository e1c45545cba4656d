import type { ContainerConfig, HealthConfig } from '../container.ts';
import { invalid, shown } from '../parse/invalid.ts';
import { cleanPath } from '../parse/paths.ts';
import { parseSignal } from '../parse/signal.ts';

/** The guide's shortest time of a health check (1.3.7.2). */
const minHealthNanos = 1e9;
/** Docker's shortest time, for the start interval, which the guide does not know. */
const minStartIntervalNanos = 1e6;
/** The guide's largest number of retries. */
const maxRetries = 2 ** 31 - 1;
/** Longest stop timeout: a day; -1 waits for ever. */
const maxStopTimeoutSeconds = 24 * 3600;

function checkHealth(health: HealthConfig): void {
  const [kind, ...command] = health.Test ?? [];
  if (kind !== undefined && !['NONE', 'CMD', 'CMD-SHELL', ''].includes(kind)) throw invalid(`Unknown type '${shown(kind)}' in HEALTHCHECK (try CMD)`);
  if ((kind === 'CMD' || kind === 'CMD-SHELL') && command.length === 0) throw invalid('Missing command after HEALTHCHECK CMD');
  const rest = [health.Interval, health.Timeout, health.StartPeriod, health.StartInterval, health.Retries].some((value) => (value ?? 0) !== 0);
  if (kind === 'NONE' && (rest || health.ExitOnUnhealthy === true || command.length > 0)) {
    throw invalid('--no-healthcheck conflicts with --health-* options');
  }
  for (const key of ['Interval', 'Timeout', 'StartPeriod'] as const) {
    const nanos = health[key] ?? 0;
    if (nanos !== 0 && nanos < minHealthNanos) throw invalid(`${key} in Healthcheck cannot be less than 1s`);
  }
  const startInterval = health.StartInterval ?? 0;
  if (startInterval !== 0 && startInterval < minStartIntervalNanos) throw invalid('StartInterval in Healthcheck cannot be less than 1ms');
  const retries = health.Retries ?? 0;
  if (retries < 0) throw invalid('Retries in Healthcheck cannot be negative');
  if (retries > maxRetries) throw invalid(`Retries in Healthcheck cannot be more than ${maxRetries}`);
}

/** The rules for annotations; `native.umask` is the guide's (table 1-2). */
export function checkAnnotations(annotations: Readonly<Record<string, string>>): void {
  for (const [key, value] of Object.entries(annotations)) {
    if (key === '') throw invalid('invalid Annotations: the empty string is not permitted as an annotation key');
    if (key.startsWith('run.oci.')) throw invalid(`annotation ${shown(key)} is not allowed: names that begin with run.oci. belong to the runtime`);
    if (key === 'native.umask' && value !== 'normal' && value !== 'secure') {
      throw invalid(`invalid annotation native.umask=${shown(value)}: want normal or secure`);
    }
  }
}

/** The ContainerConfig by itself. Cleans the working directory in place. */
export function checkConfig(config: ContainerConfig): void {
  if (config.WorkingDir !== '') {
    if (!config.WorkingDir.startsWith('/')) {
      throw invalid(`the working directory '${shown(config.WorkingDir)}' is invalid, it needs to be an absolute path`);
    }
    config.WorkingDir = cleanPath(config.WorkingDir);
  }
  if (config.StopSignal !== '') parseSignal(config.StopSignal);
  const { StopTimeout: timeout } = config;
  if (timeout !== undefined && (timeout < -1 || timeout > maxStopTimeoutSeconds)) {
    throw invalid(`invalid stop timeout ${timeout}: want seconds up to ${maxStopTimeoutSeconds}, or -1 to wait for ever`);
  }
  for (const entry of config.Env) {
    if (entry === '' || entry.startsWith('=')) throw invalid(`invalid environment variable: ${shown(entry)}`);
  }
  for (const label of Object.keys(config.Labels)) {
    if (label === '') throw invalid('invalid label: empty name');
  }
  checkAnnotations(config.Annotations);
  if (config.Healthcheck !== undefined) checkHealth(config.Healthcheck);
}
