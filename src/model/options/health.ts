import type { HealthConfig } from '../container.ts';
import { parseDuration } from '../parse/duration.ts';
import type { ContainerOption } from './types.ts';
import { option, parseInt64, parseSwitch } from './values.ts';

function durationOption(name: string, key: 'Interval' | 'Timeout' | 'StartPeriod' | 'StartInterval', help: string): ContainerOption {
  return option(name, 'string', help, (value, { config }) => {
    setHealth(config, { [key]: parseDuration(value) });
  }, { metavar: 'duration' });
}

function setHealth(config: { Healthcheck?: HealthConfig }, part: HealthConfig): void {
  config.Healthcheck = { ...config.Healthcheck, ...part };
}

/** Guide 1.3.7.2. */
export const healthOptions: readonly ContainerOption[] = [
  option('health-cmd', 'string', 'Command that checks the container\'s health; 0 is healthy', (value, { config }) => {
    if (value !== '') setHealth(config, { Test: ['CMD-SHELL', value] });
  }),
  durationOption('health-interval', 'Interval', 'Time between two checks, at least 1s (30s by default)'),
  durationOption('health-timeout', 'Timeout', 'Longest time of one check, at least 1s (30s by default)'),
  durationOption('health-start-period', 'StartPeriod', 'Time to start up, in which failures do not count'),
  durationOption('health-start-interval', 'StartInterval', 'Time between two checks during the start period'),
  option('health-retries', 'int', 'Failures in a row that make it unhealthy (3 by default)', (value, { config }) => {
    setHealth(config, { Retries: parseInt64(value) });
  }),
  option('health-exit-on-unhealthy', 'bool', 'Kill the container once it is unhealthy', (value, { config }) => {
    setHealth(config, { ExitOnUnhealthy: parseSwitch(value) });
  }, { since: 'isula' }),
  option('no-healthcheck', 'bool', 'Turn off the image\'s health check', (value, draft) => {
    draft.noHealthcheck = parseSwitch(value);
  }),
];
