import type { ContainerConfig, HealthConfig, HostConfig, ImageConfigFields } from '../model/index.ts';
import { mergeEnv } from './env.ts';

/** The PATH of a container whose image sets none (docker's). */
const defaultPath = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export interface MergedConfig {
  config: ContainerConfig;
  /** What is run: entrypoint and command. */
  args: string[];
  warnings: string[];
}

/**
 * Lays the request over the image's configuration by docker's rules: a given entrypoint drops the image's command; environment and labels
 * are merged with the request's winning; the rest is the request's where it says something.
 */
export function mergeImageConfig(request: ContainerConfig, image: ImageConfigFields | undefined, hostConfig: HostConfig): MergedConfig {
  const clearsEntrypoint = request.Entrypoint !== null && request.Entrypoint.length <= 1 && (request.Entrypoint[0] ?? '') === '';
  const givesEntrypoint = request.Entrypoint !== null;
  const entrypoint = clearsEntrypoint ? [] : (request.Entrypoint ?? image?.Entrypoint ?? []);
  const asked = request.Cmd ?? [];
  const cmd = asked.length > 0 || givesEntrypoint ? asked : (image?.Cmd ?? []);
  const healthcheck = mergeHealth(request.Healthcheck, image?.Healthcheck);
  const config: ContainerConfig = {
    ...request,
    Hostname: request.Hostname || defaultHostname(hostConfig),
    User: request.User || image?.User || '',
    Env: mergeEnv([defaultPath], image?.Env ?? [], request.Env),
    Cmd: cmd.length > 0 ? [...cmd] : null,
    Entrypoint: entrypoint.length > 0 ? [...entrypoint] : null,
    WorkingDir: request.WorkingDir || image?.WorkingDir || '',
    Labels: { ...(image?.Labels ?? {}), ...request.Labels },
    Volumes: { ...(image?.Volumes ?? {}), ...(request.Volumes ?? {}) },
    StopSignal: request.StopSignal || image?.StopSignal || 'SIGTERM',
    ...(healthcheck ? { Healthcheck: healthcheck } : {}),
    ...(image?.ExposedPorts || request.ExposedPorts ? { ExposedPorts: { ...image?.ExposedPorts, ...request.ExposedPorts } } : {}),
    ...(image?.Shell && !request.Shell ? { Shell: image.Shell } : {}),
  };
  return { config, args: [...entrypoint, ...cmd], warnings: healthcheck && !hasCheck(healthcheck) ? [noCheck] : [] };
}

const noCheck = 'Health options have no effect: neither --health-cmd nor the image gives a command.';

function hasCheck({ Test: test = [] }: HealthConfig): boolean {
  return test[0] === 'NONE' || test.length > 1;
}

/** Guide 1.3.1.3: without --net the host name is `localhost`; with the host's UTS or network it is the host's. */
function defaultHostname(hostConfig: HostConfig): string {
  if (hostConfig.UTSMode !== '' || hostConfig.NetworkMode === 'host' || hostConfig.NetworkMode.startsWith('container:')) return '';
  return 'localhost';
}

/** The command line's fields win; the image's fill what it leaves open. `NONE` turns the image's check off. */
function mergeHealth(request: HealthConfig | undefined, image: HealthConfig | undefined): HealthConfig | undefined {
  if (!request) return image;
  if (request.Test?.[0] === 'NONE' || !image) return request;
  const merged: HealthConfig = { ...image };
  if (request.Test && request.Test.length > 0) merged.Test = request.Test;
  if (request.Interval) merged.Interval = request.Interval;
  if (request.Timeout) merged.Timeout = request.Timeout;
  if (request.StartPeriod) merged.StartPeriod = request.StartPeriod;
  if (request.StartInterval) merged.StartInterval = request.StartInterval;
  if (request.Retries) merged.Retries = request.Retries;
  if (request.ExitOnUnhealthy) merged.ExitOnUnhealthy = true;
  return merged;
}
