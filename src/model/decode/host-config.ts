import { EngineError } from '../../base/index.ts';
import type { DeviceRequest, HostConfig } from '../container.ts';
import { defaultHostConfig } from '../defaults.ts';
import type { JsonObject } from './json-object.ts';
import { decodeMounts } from './mounts.ts';
import { decodeHugetlbs, decodeRestartPolicy, decodeThrottleDevices, decodeUlimits, decodeWeightDevices } from './resources.ts';

const stringKeys = [
  'ContainerIDFile', 'NetworkMode', 'VolumeDriver', 'IpcMode', 'Cgroup', 'PidMode', 'UTSMode', 'UsernsMode', 'Runtime', 'Isolation', 'CgroupParent',
  'CpusetCpus', 'CpusetMems', 'NsChangeOpt', 'UserRemap', 'HookSpec', 'EnvTargetFile', 'ExternalRootfs',
] as const;
const booleanKeys = ['AutoRemove', 'Privileged', 'PublishAllPorts', 'ReadonlyRootfs', 'OomKillDisable', 'Init', 'SystemContainer'] as const;
const integerKeys = [
  'OomScoreAdj', 'ShmSize', 'CpuShares', 'Memory', 'NanoCpus', 'BlkioWeight', 'CpuPeriod', 'CpuQuota', 'CpuRealtimePeriod', 'CpuRealtimeRuntime',
  'KernelMemory', 'KernelMemoryTCP', 'MemoryReservation', 'MemorySwap', 'PidsLimit', 'FilesLimit',
] as const;
const listKeys = [
  'Binds', 'VolumesFrom', 'CapAdd', 'CapDrop', 'Dns', 'DnsOptions', 'DnsSearch', 'ExtraHosts', 'GroupAdd', 'Links', 'SecurityOpt',
  'DeviceCgroupRules', 'NsChangeFiles', 'CDIDevices',
] as const;
const mapKeys = ['StorageOpt', 'Tmpfs', 'Sysctls', 'Annotations'] as const;
const throttleKeys = ['BlkioDeviceReadBps', 'BlkioDeviceWriteBps', 'BlkioDeviceReadIOps', 'BlkioDeviceWriteIOps'] as const;

function decodeCgroupns(json: JsonObject): HostConfig['CgroupnsMode'] {
  const mode = json.string('CgroupnsMode');
  if (mode === '' || mode === 'private' || mode === 'host') return mode;
  throw new EngineError('invalidArgument', `invalid cgroup namespace mode: ${mode}`);
}

function decodeDeviceRequest(json: JsonObject): DeviceRequest {
  return {
    Driver: json.string('Driver'), Count: json.integer('Count'), DeviceIDs: json.strings('DeviceIDs'),
    Capabilities: json.stringLists('Capabilities'), Options: json.stringMap('Options'),
  };
}

function decodeHostChannel(json: JsonObject): HostConfig['HostChannel'] {
  const channel = json.object('HostChannel');
  const pathOnHost = channel?.string('PathOnHost') ?? '';
  // The guide's inspect shows an empty channel as an object of empty fields; what inspect shows must be accepted again.
  if (channel === undefined || pathOnHost === '') return null;
  return {
    PathOnHost: pathOnHost, PathInContainer: channel.string('PathInContainer'), Permissions: channel.string('Permissions'),
    Size: channel.integer('Size'),
  };
}

/** A HostConfig (moby: HostConfig) with the guide's fields, every field filled. */
export function decodeHostConfig(json: JsonObject): HostConfig {
  const host = defaultHostConfig();
  for (const key of stringKeys) host[key] = json.string(key);
  for (const key of booleanKeys) host[key] = json.boolean(key);
  for (const key of integerKeys) host[key] = json.integer(key);
  for (const key of listKeys) host[key] = json.strings(key);
  for (const key of mapKeys) host[key] = json.stringMap(key);
  for (const key of throttleKeys) host[key] = decodeThrottleDevices(json, key);
  const log = json.object('LogConfig');
  if (log !== undefined) host.LogConfig = { Type: log.string('Type'), Config: log.stringMap('Config') };
  host.PortBindings = Object.fromEntries(json.objectListMap('PortBindings').map(([port, bindings]) => [
    port,
    bindings.map((binding) => ({ HostIp: binding.string('HostIp'), HostPort: binding.string('HostPort') })),
  ]));
  host.RestartPolicy = decodeRestartPolicy(json) ?? host.RestartPolicy;
  host.CgroupnsMode = decodeCgroupns(json);
  host.BlkioWeightDevice = decodeWeightDevices(json, 'BlkioWeightDevice');
  host.Devices = json.objects('Devices').map((device) => ({
    PathOnHost: device.string('PathOnHost'), PathInContainer: device.string('PathInContainer'), CgroupPermissions: device.string('CgroupPermissions'),
  }));
  // Docker's clients ask for CDI devices by a request of the driver `cdi`; here they have a field of their own.
  for (const request of json.objects('DeviceRequests').map(decodeDeviceRequest)) {
    if (request.Driver === 'cdi') host.CDIDevices.push(...request.DeviceIDs);
    else host.DeviceRequests.push(request);
  }
  host.MemorySwappiness = json.optionalInteger('MemorySwappiness') ?? null;
  host.Ulimits = decodeUlimits(json, 'Ulimits');
  host.Mounts = decodeMounts(json, 'Mounts');
  host.MaskedPaths = json.optionalStrings('MaskedPaths') ?? null;
  host.ReadonlyPaths = json.optionalStrings('ReadonlyPaths') ?? null;
  host.Hugetlbs = decodeHugetlbs(json, 'Hugetlbs');
  host.HostChannel = decodeHostChannel(json);
  return host;
}
