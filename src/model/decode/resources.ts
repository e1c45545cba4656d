import type { HugetlbLimit, RestartPolicy, ThrottleDevice, Ulimit, WeightDevice } from '../container.ts';
import { restartPolicyName } from '../parse/restart.ts';
import type { JsonObject } from './json-object.ts';

export function decodeWeightDevices(json: JsonObject, key: string): WeightDevice[] {
  return json.objects(key).map((item) => ({ Path: item.string('Path'), Weight: item.integer('Weight') }));
}

export function decodeThrottleDevices(json: JsonObject, key: string): ThrottleDevice[] {
  return json.objects(key).map((item) => ({ Path: item.string('Path'), Rate: item.integer('Rate') }));
}

export function decodeUlimits(json: JsonObject, key: string): Ulimit[] {
  return json.objects(key).map((item) => ({ Name: item.string('Name'), Soft: item.integer('Soft'), Hard: item.integer('Hard') }));
}

export function decodeHugetlbs(json: JsonObject, key: string): HugetlbLimit[] {
  return json.objects(key).map((item) => ({ PageSize: item.string('PageSize'), Limit: item.integer('Limit') }));
}

/** Undefined when there is none, or one without a name (docker's "leave as it is"). */
export function decodeRestartPolicy(json: JsonObject): RestartPolicy | undefined {
  const policy = json.object('RestartPolicy');
  if (policy === undefined) return undefined;
  const name = policy.string('Name');
  const count = policy.integer('MaximumRetryCount');
  if (name === '' && count === 0) return undefined;
  return { Name: restartPolicyName(name), MaximumRetryCount: count };
}
