import { expect, test } from 'bun:test';
import { EngineError } from '../../base/index.ts';
import type { ContainerConfig, ContainerCreateRequest, HostConfig, MountRequest, ResourceUpdate } from '../container.ts';
import { defaultContainerConfig, defaultHostConfig } from '../defaults.ts';
import { validateCreate, validateUpdate } from './index.ts';
import type { ValidationFacts } from './index.ts';

interface Parts {
  name?: string;
  platform?: string;
  config?: Partial<ContainerConfig>;
  host?: Partial<HostConfig>;
  endpoints?: ContainerCreateRequest['networkingConfig']['EndpointsConfig'];
}

function requestOf(parts: Parts): ContainerCreateRequest {
  return {
    name: parts.name ?? '', platform: parts.platform ?? '', config: { ...defaultContainerConfig(), ...parts.config },
    hostConfig: { ...defaultHostConfig(), ...parts.host }, networkingConfig: { EndpointsConfig: parts.endpoints ?? {} },
  };
}

const v1: ValidationFacts = {
  cpus: 2, cgroup: { version: 1, controllers: new Set(['cpu', 'cpuset', 'memory', 'pids', 'blkio', 'hugetlb', 'files']) }, seccompSupported: true,
  apparmorEnabled: false, selinuxEnabled: false,
};
const v2: ValidationFacts = { ...v1, cgroup: { version: 2, controllers: new Set(['cpu', 'cpuset', 'memory', 'pids', 'io']) } };
const bare: ValidationFacts = { ...v1, seccompSupported: false, cgroup: { version: 1, controllers: new Set() } };

function outcome(run: () => string[]): string {
  try {
    return run().join('\n');
  } catch (error) {
    if (error instanceof EngineError) return `${error.code}: ${error.message}`;
    throw error;
  }
}

const bind = (part: Partial<MountRequest>): Parts => ({ host: { Mounts: [{ Type: 'bind', Source: '/s', Target: '/t', ReadOnly: false, ...part }] } });
const MB = 1024 * 1024;

test('an empty request is fine, also with facts', () => {
  expect(validateCreate(requestOf({}))).toEqual([]);
  expect(validateCreate(requestOf({}), v1)).toEqual([]);
  expect(validateCreate(requestOf({}), bare)).toEqual([]);
});

const wrong: [Parts, string][] = [
  [{ name: '-x' }, 'Invalid container name (-x), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed'],
  [{ name: 'a' }, 'Invalid container name (a)'],
  [{ platform: 'linux/amd64/v1/x' }, 'invalid platform'],
  [{ config: { WorkingDir: 'rel' } }, 'the working directory \'rel\' is invalid, it needs to be an absolute path'],
  [{ config: { StopSignal: 'SIGFOO' } }, 'invalid signal: SIGFOO'],
  [{ config: { StopTimeout: -2 } }, 'invalid stop timeout -2'],
  [{ config: { Env: ['=x'] } }, 'invalid environment variable: =x'],
  [{ config: { Labels: { '': 'x' } } }, 'empty name'],
  [{ config: { Annotations: { 'native.umask': '0022' } } }, 'native.umask=0022: want normal or secure'],
  [{ config: { Annotations: { 'run.oci.handler': 'x' } } }, 'annotation run.oci.handler is not allowed'],
  [{ host: { Annotations: { '': '' } } }, 'the empty string is not permitted'],
  [{ config: { User: 'a:b:c' } }, 'invalid user specification'],
  [{ config: { User: '4294967296' } }, 'uids and gids must be in range'],
  [{ config: { Hostname: 'x'.repeat(65) } }, 'is too long (maximum 64 bytes)'],
  [{ config: { Hostname: 'h' }, host: { UTSMode: 'host' } }, 'conflicting options: hostname and the UTS mode'],
  [{ config: { Domainname: 'h' }, host: { UTSMode: 'host' } }, 'conflicting options: domainname and the UTS mode'],
  [{ config: { Hostname: 'h' }, host: { NetworkMode: 'container:x' } }, 'conflicting options: hostname and the network mode'],
  [{ host: { NetworkMode: 'container:x', Dns: ['1.1.1.1'] } }, 'conflicting options: dns and the network mode'],
  [{ host: { NetworkMode: 'container:x', ExtraHosts: ['a:1.1.1.1'] } }, 'custom host-to-IP mapping'],
  [{ host: { NetworkMode: 'container:x', PublishAllPorts: true } }, 'port publishing and the container type'],
  [{ host: { NetworkMode: 'container:x' }, config: { ExposedPorts: { '80/tcp': {} } } }, 'port exposing'],
  [{ config: { Healthcheck: { Interval: 5e8 } } }, 'Interval in Healthcheck cannot be less than 1s'],
  [{ config: { Healthcheck: { Timeout: -1 } } }, 'Timeout in Healthcheck cannot be less than 1s'],
  [{ config: { Healthcheck: { StartPeriod: 1 } } }, 'StartPeriod in Healthcheck cannot be less than 1s'],
  [{ config: { Healthcheck: { StartInterval: 1 } } }, 'StartInterval in Healthcheck cannot be less than 1ms'],
  [{ config: { Healthcheck: { Retries: -1 } } }, 'Retries in Healthcheck cannot be negative'],
  [{ config: { Healthcheck: { Retries: 2 ** 31 } } }, 'Retries in Healthcheck cannot be more than'],
  [{ config: { Healthcheck: { Test: ['EXEC', 'x'] } } }, 'Unknown type \'EXEC\' in HEALTHCHECK'],
  [{ config: { Healthcheck: { Test: ['CMD'] } } }, 'Missing command'],
  [{ config: { Healthcheck: { Test: ['NONE'], Retries: 3 } } }, '--no-healthcheck conflicts with --health-* options'],
  [{ host: { Memory: 4 * MB - 1 } }, 'Minimum memory limit allowed is 4MB'],
  [{ host: { Memory: -5 } }, 'Minimum memory limit'],
  [{ host: { MemoryReservation: 1 } }, 'Minimum memory reservation allowed is 4MB'],
  [{ host: { Memory: 8 * MB, MemorySwap: 4 * MB } }, 'Minimum memoryswap limit should be larger than memory limit, see usage'],
  [{ host: { MemorySwap: 8 * MB } }, 'You should always set the Memory limit when using Memoryswap limit, see usage'],
  [{ host: { MemorySwap: -2 } }, 'Invalid value -2 for memory swap'],
  [{ host: { Memory: 8 * MB, MemoryReservation: 9 * MB } }, 'Minimum memory limit can not be less than memory reservation limit, see usage'],
  [{ host: { MemorySwappiness: 101 } }, 'Invalid value: 101, valid memory swappiness range is 0-100'],
  [{ host: { NanoCpus: 1e9, CpuPeriod: 1000 } }, 'Conflicting options: Nano CPUs and CPU Period cannot both be set'],
  [{ host: { NanoCpus: 1e9, CpuQuota: 1000 } }, 'Conflicting options: Nano CPUs and CPU Quota cannot both be set'],
  [{ host: { NanoCpus: 3e9 } }, 'range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available'],
  [{ host: { NanoCpus: 1 } }, 'range of CPUs is from 0.01'],
  [{ host: { CpuPeriod: 999 } }, 'CPU cfs period can not be less than 1ms'],
  [{ host: { CpuPeriod: 1_000_001 } }, 'or larger than 1s'],
  [{ host: { CpuQuota: 999 } }, 'CPU cfs quota can not be less than 1ms'],
  [{ host: { CpuShares: -1 } }, 'invalid CPU shares (-1)'],
  [{ host: { CpuRealtimePeriod: 10, CpuRealtimeRuntime: 11 } }, 'cpu real-time runtime cannot be higher'],
  [{ host: { CpusetCpus: '3-1' } }, 'Invalid value 3-1 for cpuset cpus'],
  [{ host: { CpusetCpus: '0-2' } }, 'Requested CPUs are not available - requested 0-2, available: 0-1'],
  [{ host: { CpusetMems: 'x' } }, 'Invalid value x for cpuset mems'],
  [{ host: { BlkioWeight: 9 } }, 'Range of blkio weight is from 10 to 1000'],
  [{ host: { BlkioWeightDevice: [{ Path: '/dev/a', Weight: 1 }] } }, 'invalid weight for device'],
  [{ host: { BlkioDeviceReadBps: [{ Path: 'sda', Rate: 1 }] } }, 'bad format for device path: sda'],
  [{ host: { BlkioDeviceReadBps: [{ Path: '/dev/a', Rate: -1 }] } }, 'invalid rate for device'],
  [{ host: { PidsLimit: -2 } }, 'Invalid value -2 for the pids limit'],
  [{ host: { Hugetlbs: [{ PageSize: '3MB', Limit: 1 }] } }, 'invalid huge page size'],
  [{ host: { Ulimits: [{ Name: 'nofile', Soft: 2, Hard: 1 }] } }, 'soft limit must be less than or equal to hard limit: 2 > 1'],
  [{ host: { Ulimits: [{ Name: 'foo', Soft: 1, Hard: 1 }] } }, 'invalid ulimit type: foo'],
  [{ host: { Ulimits: [{ Name: 'core', Soft: 1, Hard: 1 }, { Name: 'core', Soft: 1, Hard: 1 }] } }, 'ulimit core is given twice'],
  [{ host: { ShmSize: -1 } }, 'SHM size can not be less than 0'],
  [{ host: { OomScoreAdj: 1001 } }, 'Invalid value 1001, range for oom score adj is [-1000, 1000]'],
  [{ host: { AutoRemove: true, RestartPolicy: { Name: 'always', MaximumRetryCount: 0 } } }, 'Conflicting options: --restart and --rm'],
  [{ host: { RestartPolicy: { Name: 'always', MaximumRetryCount: 2 } } }, 'can only be used with \'on-failure\''],
  [{ host: { RestartPolicy: { Name: 'on-failure', MaximumRetryCount: -1 } } }, 'cannot be negative'],
  [{ host: { LogConfig: { Type: 'syslog', Config: {} } } }, 'logger: no log driver named \'syslog\' is registered'],
  [{ host: { LogConfig: { Type: '', Config: { foo: '1' } } } }, 'unknown log opt \'foo\' for json-file log driver'],
  [{ host: { LogConfig: { Type: 'none', Config: { 'max-size': '1' } } } }, 'invalid logging opts for driver none'],
  [{ host: { LogConfig: { Type: '', Config: { 'max-file': '0' } } } }, 'invalid value for max-file'],
  [{ host: { StorageOpt: { size: '0' } } }, 'must be larger than 0'],
  [{ host: { StorageOpt: { inodes: '1' } } }, 'unknown option inodes'],
  [{ host: { ExternalRootfs: 'rel' } }, 'must be an absolute path'],
  [{ host: { PidMode: 'bogus' } }, 'invalid PID mode: bogus'],
  [{ host: { IpcMode: 'container:' } }, 'invalid IPC mode'],
  [{ host: { UTSMode: 'shareable' } }, 'invalid UTS mode'],
  [{ host: { UsernsMode: 'keep-id' } }, 'invalid USER mode'],
  [{ host: { NetworkMode: 'a b' } }, 'invalid network mode'],
  [{ host: { CgroupParent: '/a/../b' } }, 'it must not contain \'..\''],
  [{ host: { Isolation: 'hyperv' } }, 'linux only supports \'default\''],
  [{ host: { CapAdd: ['CAP_FLY'] } }, 'invalid CapAdd: unknown capability: "CAP_FLY"'],
  [{ host: { CapDrop: ['fly'] } }, 'invalid CapDrop: unknown capability: "CAP_FLY"'],
  [{ host: { Sysctls: { 'kernel.hostname': 'x' } } }, 'sysctl \'kernel.hostname\' is not allowed'],
  [{ host: { Sysctls: { 'net.a': '1' }, NetworkMode: 'host' } }, 'not allowed in the host network namespace'],
  [{ host: { Sysctls: { 'kernel.sem': '1' }, IpcMode: 'host' } }, 'not allowed in the host ipc namespace'],
  [{ host: { SecurityOpt: ['label=colour:red'] } }, 'bad label option'],
  [{ host: { Devices: [{ PathOnHost: 'null', PathInContainer: '', CgroupPermissions: '' }] } }, 'null is not an absolute path'],
  [{ host: { Devices: [{ PathOnHost: '/dev/null', PathInContainer: '', CgroupPermissions: 'x' }] } }, 'bad mode specified: x'],
  [{ host: { DeviceCgroupRules: ['x 1:1 r'] } }, 'invalid device cgroup format \'x 1:1 r\''],
  [{ host: { CDIDevices: ['x'] } }, 'invalid CDI device name x'],
  [{ host: { GroupAdd: [''] } }, 'invalid group specification'],
  [{ host: { MaskedPaths: ['x'] } }, 'must be absolute'],
  [{ host: { Dns: ['x'] } }, 'IP address is not correctly formatted: x'],
  [{ host: { DnsOptions: ['a b'] } }, 'invalid DNS option'],
  [{ host: { DnsSearch: ['-'] } }, 'is not a valid domain'],
  [{ host: { ExtraHosts: ['nocolon'] } }, 'bad format for add-host: "nocolon"'],
  [{ host: { PortBindings: { tcp: [] } } }, 'invalid port specification: "tcp"'],
  [{ config: { ExposedPorts: { '70000/tcp': {} } } }, 'invalid range format'],
  [{ config: { MacAddress: 'zz' } }, 'zz is not a valid mac address'],
  [{ host: { Binds: ['/a:/b', '/c:/b/'] } }, 'Duplicate mount point: /b'],
  [{ host: { Binds: ['/a:/b'], Tmpfs: { '/b': '' } } }, 'Duplicate mount point: /b'],
  [{ host: { Binds: ['/a:b'] } }, 'mount path must be absolute'],
  [{ host: { Binds: ['/a:/'] } }, 'destination can\'t be \'/\''],
  [{ host: { Binds: ['/a:/b:nope'] } }, 'invalid mode: nope'],
  [{ host: { Binds: ['/usr/lib:/b:z'] } }, 'SELinux relabeling of /usr/lib is not allowed'],
  [{ host: { Binds: ['/tmp/:/b:Z'] } }, 'SELinux relabeling of /tmp is not allowed'],
  [{ host: { Tmpfs: { '/a': 'foo' } } }, 'invalid tmpfs option ["foo"]'],
  [{ host: { VolumesFrom: ['x:rshared'] } }, 'invalid mode: rshared'],
  [{ host: { VolumeDriver: 'nfs' } }, 'volume driver "nfs" is not known'],
  [{ config: { Volumes: { rel: {} } } }, 'mount path must be absolute'],
  [bind({ Target: '' }), 'invalid mount config for type "bind": field Target must not be empty'],
  [bind({ Target: 'x' }), 'invalid mount config for type "bind": invalid mount path: \'x\' mount path must be absolute'],
  [bind({ Source: '' }), 'field Source must not be empty'],
  [bind({ Source: 'x' }), 'invalid mount path: \'x\' mount path must be absolute'],
  [bind({ BindOptions: { Propagation: 'odd' } }), 'invalid propagation mode: odd'],
  [bind({ VolumeOptions: {} }), 'field VolumeOptions must not be specified'],
  [bind({ Type: 'tmpfs' }), 'invalid mount config for type "tmpfs": field Source must not be specified'],
  [bind({ Type: 'volume', Source: '' , VolumeOptions: { Subpath: 'a' } }), 'must not set Subpath when using anonymous volumes'],
  [bind({ Type: 'volume', Source: 'vv', VolumeOptions: { Subpath: '../a' } }), 'subpath must be a relative path within the volume'],
  [bind({ Type: 'volume', Source: '/x' }), 'includes invalid characters for a local volume name'],
  [bind({ Type: 'squashfs', Source: 'x' }), 'mount path must be absolute'],
];

test.each(wrong)('refused as invalid: %j', (parts, message) => {
  const result = outcome(() => validateCreate(requestOf(parts), v1));
  expect(result).toStartWith('invalidArgument: ');
  expect(result).toContain(message);
});

const impossible: [Parts, string][] = [
  [{ host: { SystemContainer: true } }, '--system-container'],
  [{ host: { NsChangeOpt: 'net' } }, '--ns-change-opt'],
  [{ host: { UserRemap: '1:1:1' } }, '--user-remap'],
  [{ host: { EnvTargetFile: '/e' } }, '--env-target-file'],
  [{ host: { HostChannel: { PathOnHost: '/a', PathInContainer: '/b', Permissions: 'rw', Size: 1 } } }, '--host-channel'],
  [{ host: { NetworkMode: 'bridge' } }, 'network bridge is not supported'],
  [{ host: { NetworkMode: 'mynet' } }, 'network mynet'],
  [{ host: { PortBindings: { '80/tcp': [{ HostIp: '', HostPort: '8080' }] } } }, 'publishing ports'],
  [{ host: { PublishAllPorts: true } }, 'publishing ports'],
  [{ host: { Links: ['a:b'] } }, '--link'],
  [{ config: { MacAddress: '92:d0:c6:0a:29:33' } }, '--mac-address'],
  [{ endpoints: { default: { IPAMConfig: { IPv4Address: '10.0.0.1' } } } }, '--ip is'],
  [{ endpoints: { default: { IPAMConfig: { IPv6Address: '::1' } } } }, '--ip6'],
  [{ endpoints: { default: { Aliases: ['x'] } } }, '--network-alias'],
  [{ endpoints: { mynet: {} } }, 'network mynet'],
  [{ host: { ExtraHosts: ['h:host-gateway'] } }, 'host-gateway'],
  [{ host: { UsernsMode: 'private' } }, 'userns-remap'],
  [{ host: { Cgroup: 'container:x' } }, 'HostConfig.Cgroup'],
  [{ host: { SecurityOpt: ['apparmor=p'] } }, 'AppArmor is not enabled'],
  [{ host: { SecurityOpt: ['label=type:x'] } }, 'SELinux is not enabled'],
  [{ host: { DeviceRequests: [{ Driver: '', Count: -1, DeviceIDs: [], Capabilities: [['gpu']], Options: {} }] } },
    'could not select device driver "" with capabilities: [[gpu]]'],
];

test.each(impossible)('refused as unsupported: %j', (parts, message) => {
  const result = outcome(() => validateCreate(requestOf(parts), v1));
  expect(result).toStartWith('unsupported: ');
  expect(result).toContain(message);
});

test('what is allowed stays allowed', () => {
  const good: Parts[] = [
    { name: '/web', platform: 'linux/arm64', config: { Hostname: 'a.b-c', WorkingDir: '/a/../b/', StopSignal: 'RTMIN+3', StopTimeout: -1,
      User: '1:grp' } },
    { config: { Healthcheck: { Test: ['NONE'] }, Annotations: { 'native.umask': 'secure' }, ExposedPorts: { '80/tcp': {} } } },
    { config: { Hostname: 'h' }, host: { NetworkMode: 'host', Privileged: true, PidMode: 'host', IpcMode: 'host' } },
    { host: { NetworkMode: 'default', SecurityOpt: ['label=disable', 'seccomp=unconfined', 'no-new-privileges:true', 'apparmor=unconfined'] } },
    { host: { Binds: ['/a:/b:ro,rslave', 'vol:/c:nocopy'], Mounts: [{ Type: 'bind', Source: '/x', Target: '/b', ReadOnly: true }] } },
    { host: { Mounts: [{ Type: 'squashfs', Source: '/x.sqsh', Target: '/y', ReadOnly: true }, { Type: 'tmpfs', Source: '', Target: '/z',
      ReadOnly: false }] } },
    { host: { RestartPolicy: { Name: 'unless-stopped', MaximumRetryCount: 0 }, CpuQuota: -1, Ulimits: [{ Name: 'core', Soft: -1, Hard: -1 }] } },
    { endpoints: { default: {} }, host: { MemorySwappiness: -1, Dns: ['::1'], DnsSearch: ['.'], DnsOptions: ['ndots:3'], ExtraHosts: ['h:::1'] } },
  ];
  for (const parts of good) expect(outcome(() => validateCreate(requestOf(parts), v1))).toBe('');
});

test('the request is completed in place', () => {
  const request = requestOf({
    name: '/web', config: { WorkingDir: '/a//b/' },
    host: { Memory: 8 * MB, MemorySwappiness: -1, Devices: [{ PathOnHost: '/dev/null', PathInContainer: '', CgroupPermissions: '' }] },
  });
  expect(validateCreate(request, v1)).toEqual([]);
  expect(request).toMatchObject({ name: 'web', config: { WorkingDir: '/a/b' } });
  expect(request.hostConfig).toMatchObject({
    MemorySwap: 16 * MB, MemorySwappiness: null, Devices: [{ PathOnHost: '/dev/null', PathInContainer: '/dev/null', CgroupPermissions: 'rwm' }],
  });
  const huge = requestOf({ host: { Memory: 2 ** 62 * 1.5 } });
  validateCreate(huge);
  expect(huge.hostConfig.MemorySwap).toBe(-1);
});

test('warnings', () => {
  expect(outcome(() => validateCreate(requestOf({ host: { KernelMemory: 5 * MB } })))).toContain('kernel memory limit is deprecated');
  expect(outcome(() => validateCreate(requestOf({ host: { OomKillDisable: true } }), v1))).toContain('OOM killer is disabled');
  expect(outcome(() => validateCreate(requestOf({ host: { NetworkMode: 'host',
    PublishAllPorts: true } })))).toContain('Published ports are discarded');
});

test('what the cgroups of the host cannot do is dropped with a warning, or refused', () => {
  const all: Partial<HostConfig> = {
    Memory: 8 * MB, MemoryReservation: 8 * MB, MemorySwappiness: 5, OomKillDisable: true, PidsLimit: 5, CpuShares: 5, CpuQuota: 5000, CpusetCpus: '0',
    BlkioWeight: 10, BlkioDeviceReadBps: [{ Path: '/dev/a', Rate: 1 }], BlkioDeviceWriteIOps: [{ Path: '/dev/a', Rate: 1 }],
  };
  const request = requestOf({ host: all });
  expect(validateCreate(request, bare)).toHaveLength(11);
  expect(request.hostConfig).toMatchObject({
    Memory: 0, MemorySwap: 0, MemoryReservation: 0, MemorySwappiness: null, OomKillDisable: false, PidsLimit: 0, CpuShares: 0, CpuQuota: 0,
      CpusetCpus: '',
    BlkioWeight: 0, BlkioDeviceReadBps: [], BlkioDeviceWriteIOps: [],
  });
  const onV2 = requestOf({ host: all });
  expect(validateCreate(onV2, v2)).toHaveLength(2);
  expect(onV2.hostConfig.Memory).toBe(8 * MB);
  const refused: [Partial<HostConfig>, ValidationFacts][] = [
    [{ NanoCpus: 1e9 }, bare], [{ CpuRealtimeRuntime: 5 }, v2], [{ FilesLimit: 5 }, v2], [{ Hugetlbs: [{ PageSize: '', Limit: 1 }] }, v2],
    [{ SecurityOpt: ['seccomp={}'] }, bare],
  ];
  for (const [host, facts] of refused) expect(outcome(() => validateCreate(requestOf({ host }), facts))).toStartWith('unsupported: ');
});

function updated(old: Partial<HostConfig>, update: ResourceUpdate, facts = v1): string {
  return outcome(() => validateUpdate({ ...defaultHostConfig(), ...old }, update, facts).warnings);
}

test('updates that go with what is there', () => {
  const old = { ...defaultHostConfig(), Memory: 8 * MB, MemorySwap: 16 * MB };
  const { hostConfig, warnings } = validateUpdate(old, { Memory: 9 * MB, PidsLimit: 5, KernelMemory: 1, RestartPolicy: { Name: 'always',
    MaximumRetryCount: 0 } }, v1);
  expect(hostConfig).toEqual({ ...old, Memory: 9 * MB, PidsLimit: 5, RestartPolicy: { Name: 'always', MaximumRetryCount: 0 } });
  expect(warnings).toHaveLength(1);
  expect(validateUpdate(defaultHostConfig(), { Memory: 8 * MB }).hostConfig.MemorySwap).toBe(16 * MB);
});

test('updates that do not', () => {
  expect(updated({ CpuPeriod: 1000 }, { NanoCpus: 1e9 })).toContain('conflict: Conflicting options: Nano CPUs cannot be updated as CPU Period');
  expect(updated({ NanoCpus: 1e9 }, { CpuQuota: 1000 })).toContain('CPU Quota cannot be updated as NanoCPUs');
  expect(updated({ Memory: 8 * MB, MemorySwap: 16 * MB }, { Memory: 32 * MB })).toContain('update the memoryswap at the same time');
  expect(updated({ AutoRemove: true }, { RestartPolicy: { Name: 'always', MaximumRetryCount: 0 } })).toContain('AutoRemove is enabled');
  expect(updated({}, { Memory: 1 })).toContain('Minimum memory limit allowed is 4MB');
  expect(updated({}, { CpuShares: -1 })).toContain('invalid CPU shares');
  expect(updated({}, { KernelMemory: -1 })).toContain('must not be negative');
  expect(updated({}, { FilesLimit: 5 }, v2)).toStartWith('unsupported');
});
