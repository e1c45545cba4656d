import type { ResourceUpdate } from '../container.ts';
import { JsonObject } from './json-object.ts';
import { decodeHugetlbs, decodeRestartPolicy, decodeThrottleDevices, decodeWeightDevices } from './resources.ts';

const integerKeys = [
  'CpuShares', 'Memory', 'NanoCpus', 'BlkioWeight', 'CpuPeriod', 'CpuQuota', 'CpuRealtimePeriod', 'CpuRealtimeRuntime', 'KernelMemory',
  'MemoryReservation', 'MemorySwap', 'FilesLimit',
] as const;
const throttleKeys = ['BlkioDeviceReadBps', 'BlkioDeviceWriteBps', 'BlkioDeviceReadIOps', 'BlkioDeviceWriteIOps'] as const;

/**
 * The body of POST /containers/{id}/update (moby: Resources and RestartPolicy). Docker's clients send every field: zero,
 * empty and null mean "leave as it is"; only PidsLimit, a pointer in docker, counts when it is 0.
 * @throws invalidArgument naming the field of a wrong type.
 */
export function decodeUpdate(body: unknown): ResourceUpdate {
  const json = new JsonObject(body, '');
  const update: ResourceUpdate = {};
  for (const key of integerKeys) {
    const value = json.integer(key);
    if (value !== 0) update[key] = value;
  }
  for (const key of ['CpusetCpus', 'CpusetMems'] as const) {
    const value = json.string(key);
    if (value !== '') update[key] = value;
  }
  for (const key of throttleKeys) {
    const devices = decodeThrottleDevices(json, key);
    if (devices.length > 0) update[key] = devices;
  }
  const weights = decodeWeightDevices(json, 'BlkioWeightDevice');
  if (weights.length > 0) update.BlkioWeightDevice = weights;
  const hugetlbs = decodeHugetlbs(json, 'Hugetlbs');
  if (hugetlbs.length > 0) update.Hugetlbs = hugetlbs;
  const pids = json.optionalInteger('PidsLimit');
  if (pids !== undefined) update.PidsLimit = pids;
  const restart = decodeRestartPolicy(json);
  if (restart !== undefined) update.RestartPolicy = restart;
  return update;
}
