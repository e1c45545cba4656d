import { defaultContainerConfig } from '../defaults.ts';
import type { ContainerConfig, HealthConfig } from '../container.ts';
import { JsonObject } from './json-object.ts';

/** moby: HealthConfig. Durations are nanoseconds. */
function decodeHealth(json: JsonObject): HealthConfig {
  const health: HealthConfig = {};
  const test = json.optionalStrings('Test');
  if (test !== undefined) health.Test = test;
  for (const key of ['Interval', 'Timeout', 'StartPeriod', 'StartInterval', 'Retries'] as const) {
    const value = json.optionalInteger(key);
    if (value !== undefined) health[key] = value;
  }
  const exit = json.optionalBoolean('ExitOnUnhealthy');
  if (exit !== undefined) health.ExitOnUnhealthy = exit;
  return health;
}

function decodeConfig(json: JsonObject): ContainerConfig {
  const config: ContainerConfig = {
    ...defaultContainerConfig(),
    Hostname: json.string('Hostname'),
    Domainname: json.string('Domainname'),
    User: json.string('User'),
    AttachStdin: json.boolean('AttachStdin'),
    AttachStdout: json.boolean('AttachStdout'),
    AttachStderr: json.boolean('AttachStderr'),
    Tty: json.boolean('Tty'),
    OpenStdin: json.boolean('OpenStdin'),
    StdinOnce: json.boolean('StdinOnce'),
    Env: json.strings('Env'),
    Cmd: json.stringOrStrings('Cmd') ?? null,
    Entrypoint: json.stringOrStrings('Entrypoint') ?? null,
    Image: json.string('Image'),
    Volumes: json.nameSet('Volumes') ?? null,
    WorkingDir: json.string('WorkingDir'),
    Labels: json.stringMap('Labels'),
    Annotations: json.stringMap('Annotations'),
    StopSignal: json.string('StopSignal'),
  };
  const health = json.object('Healthcheck');
  if (health !== undefined) config.Healthcheck = decodeHealth(health);
  const stopTimeout = json.optionalInteger('StopTimeout');
  if (stopTimeout !== undefined) config.StopTimeout = stopTimeout;
  const shell = json.stringOrStrings('Shell');
  if (shell !== undefined) config.Shell = shell;
  const onBuild = json.optionalStrings('OnBuild');
  if (onBuild !== undefined) config.OnBuild = onBuild;
  const ports = json.nameSet('ExposedPorts');
  if (ports !== undefined) config.ExposedPorts = ports;
  const mac = json.string('MacAddress');
  if (mac !== '') config.MacAddress = mac;
  return config;
}

/**
 * A ContainerConfig from JSON (moby: ContainerConfig), every field filled; also the body of POST /commit.
 * @throws invalidArgument naming the field of a wrong type.
 */
export function decodeContainerConfig(body: unknown): ContainerConfig {
  return decodeConfig(new JsonObject(body, ''));
}
