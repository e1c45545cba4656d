import { expect, test } from 'bun:test';
import { EngineError } from '../../base/index.ts';
import { defaultContainerConfig, defaultHostConfig } from '../defaults.ts';
import { decodeContainerConfig, decodeCreateRequest, decodeUpdate } from './index.ts';
import { maxJsonEntries } from './json-object.ts';

function messageFor(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof EngineError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'no error';
}

test('an empty body gives the defaults', () => {
  expect(decodeCreateRequest({}, '/web', 'linux/amd64')).toEqual({
    name: 'web', platform: 'linux/amd64', config: defaultContainerConfig(), hostConfig: defaultHostConfig(),
      networkingConfig: { EndpointsConfig: {} },
  });
  expect(decodeCreateRequest({ HostConfig: {} }, '', '').hostConfig).toEqual(defaultHostConfig());
});

test('null is absent, unknown names are ignored, names match without case', () => {
  const request = decodeCreateRequest({
    image: 'busybox', Cmd: null, Env: null, Bogus: 1, Labels: null, Healthcheck: null,
    hostconfig: { CPUShares: 5, memory: 6, MemorySwappiness: null, OomKillDisable: null, PidsLimit: null, Binds: null, NoSuch: {}, Mounts: null },
  }, '', '');
  expect(request.config.Image).toBe('busybox');
  expect(request.hostConfig.CpuShares).toBe(5);
  expect(request.hostConfig.Memory).toBe(6);
  expect(request.hostConfig.MemorySwappiness).toBeNull();
});

test('strings stand for one-element command lists', () => {
  const config = decodeContainerConfig({ Cmd: 'ls', Entrypoint: ['/bin/sh', '-c'] });
  expect(config.Cmd).toEqual(['ls']);
  expect(config.Entrypoint).toEqual(['/bin/sh', '-c']);
  expect(decodeContainerConfig({ Entrypoint: [] }).Entrypoint).toEqual([]);
});

test('the whole of a docker body', () => {
  const request = decodeCreateRequest({
    Image: 'b', Tty: true, Volumes: { '/v': {}, '/w': null }, ExposedPorts: { '80/tcp': {} }, StopTimeout: 0, Shell: ['/bin/ash'], OnBuild: null,
    MacAddress: '92:d0:c6:0a:29:33', Healthcheck: { Test: ['CMD-SHELL', 'true'], Interval: 1e9, Retries: 3, ExitOnUnhealthy: true },
    HostConfig: {
      LogConfig: { Type: 'json-file', Config: { 'max-size': '1m' } }, RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 2 },
      PortBindings: { '80/tcp': [{ HostIp: '', HostPort: '8080' }], '81/tcp': null }, CgroupnsMode: 'private',
      BlkioWeightDevice: [{ Path: '/dev/sda', Weight: 10 }], BlkioDeviceReadBps: [{ Path: '/dev/sda', Rate: 1024 }],
      Devices: [{ PathOnHost: '/dev/null', PathInContainer: '/dev/n', CgroupPermissions: 'rwm' }],
      DeviceRequests: [{ Driver: 'cdi', DeviceIDs: ['v/c=n'], Capabilities: [['gpu']] }], Ulimits: [{ Name: 'nofile', Soft: 1, Hard: 2 }],
      Mounts: [
        { Type: 'BIND', Source: '/a', Target: '/b', ReadOnly: true, BindOptions: { Propagation: 'rslave', NonRecursive: true,
          CreateMountpoint: true } },
        { Type: 'volume', Target: '/c', VolumeOptions: { NoCopy: true, Labels: { a: 'b' }, DriverConfig: { Name: 'local' }, Subpath: 's' } },
        { Type: 'tmpfs', Target: '/d', TmpfsOptions: { SizeBytes: 10, Mode: 511 } },
      ],
      Hugetlbs: [{ PageSize: '2MB', Limit: 4 }], HostChannel: { PathOnHost: '/h', PathInContainer: '/c', Permissions: 'rw', Size: 9 },
        MaskedPaths: [],
      MemorySwap: -1, Memory: 9223372036854771712,
    },
    NetworkingConfig: { EndpointsConfig: { net: { IPAMConfig: { IPv4Address: '10.0.0.2' }, Aliases: ['x'], Links: ['y'], MacAddress: 'm' },
      other: null } },
  }, 'n', '');
  expect(request.config).toMatchObject({ Volumes: { '/v': {}, '/w': {} }, StopTimeout: 0, Healthcheck: { Interval: 1e9, ExitOnUnhealthy: true } });
  expect(request.hostConfig).toMatchObject({
    PortBindings: { '80/tcp': [{ HostPort: '8080' }], '81/tcp': [] }, RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 2 }, MaskedPaths: [],
    Mounts: [
      { Type: 'bind', BindOptions: { Propagation: 'rslave', NonRecursive: true, CreateMountpoint: true } },
      { VolumeOptions: { NoCopy: true, Labels: { a: 'b' }, DriverConfig: { Name: 'local', Options: {} }, Subpath: 's' } },
      { TmpfsOptions: { SizeBytes: 10, Mode: 511 } },
    ],
    HostChannel: { PathOnHost: '/h', PathInContainer: '/c', Permissions: 'rw', Size: 9 }, CDIDevices: ['v/c=n'], DeviceRequests: [],
  });
  expect(request.networkingConfig.EndpointsConfig).toEqual({
    net: { IPAMConfig: { IPv4Address: '10.0.0.2' }, Aliases: ['x'], Links: ['y'], MacAddress: 'm' }, other: {},
  });
});

test('what inspect shows decodes to itself', () => {
  const host = { ...defaultHostConfig(), Memory: 7, Binds: ['/a:/b'] };
  expect(decodeCreateRequest({ ...defaultContainerConfig(), HostConfig: JSON.parse(JSON.stringify(host)) }, '', '').hostConfig).toEqual(host);
});

test.each([
  [[], 'the request body must be an object'],
  ['x', 'the request body must be an object'],
  [null, 'the request body must be an object'],
  [{ HostConfig: [] }, 'HostConfig must be an object'],
  [{ HostConfig: { Memory: '1g' } }, 'HostConfig.Memory must be a number'],
  [{ HostConfig: { Memory: 1.5 } }, 'HostConfig.Memory must be a 64-bit integer'],
  [{ HostConfig: { Memory: 1e300 } }, 'HostConfig.Memory must be a 64-bit integer'],
  [{ HostConfig: { Privileged: 'yes' } }, 'HostConfig.Privileged must be a boolean'],
  [{ HostConfig: { Binds: '/a:/b' } }, 'HostConfig.Binds must be a list'],
  [{ HostConfig: { Binds: [1] } }, 'HostConfig.Binds[0] must be a string'],
  [{ HostConfig: { Devices: [7] } }, 'HostConfig.Devices[0] must be an object'],
  [{ HostConfig: { Ulimits: [{ Name: 3 }] } }, 'HostConfig.Ulimits[0].Name must be a string'],
  [{ HostConfig: { PortBindings: { '1/tcp': {} } } }, 'HostConfig.PortBindings.1/tcp must be a list'],
  [{ HostConfig: { DeviceRequests: [{ Capabilities: ['gpu'] }] } }, 'HostConfig.DeviceRequests[0].Capabilities[0] must be a list'],
  [{ Env: ['A=\0'] }, 'Env[0] must be a string without NUL characters'],
  [{ Labels: ['a'] }, 'Labels must be an object'],
  [{ Labels: { a: 1 } }, 'Labels.a must be a string'],
  [{ Volumes: { '/a': 1 } }, 'Volumes./a must be an object'],
  [{ Cmd: 3 }, 'Cmd must be a list'],
])('wrong types name the field: %j', (body: unknown, message) => {
  expect(messageFor(() => decodeCreateRequest(body, '', ''))).toBe(`invalidArgument: invalid JSON: ${message}`);
});

test('closed sets are checked while decoding', () => {
  expect(messageFor(() => decodeCreateRequest({ HostConfig: { RestartPolicy: { Name: 'sometimes' } } }, '',
    ''))).toContain('unknown policy \'sometimes\'');
  expect(messageFor(() => decodeCreateRequest({ HostConfig: { Mounts: [{ Type: 'npipe' }] } }, '', ''))).toContain('mount type unknown');
  expect(messageFor(() => decodeCreateRequest({ HostConfig: { CgroupnsMode: 'x' } }, '', ''))).toContain('invalid cgroup namespace mode: x');
  expect(messageFor(() => decodeCreateRequest({ HostConfig: { Mounts: [{ Type: 'bind', BindOptions: { Selinux: 'q' } }] } }, '',
    ''))).toContain('"z" or "Z"');
});

test('limits hold', () => {
  expect(messageFor(() => decodeContainerConfig({ Env: Array(maxJsonEntries + 1).fill('A=1') }))).toContain('tooLarge');
  expect(messageFor(() => decodeContainerConfig({ User: 'x'.repeat(2_000_000) }))).toContain('tooLarge');
});

test('a hostile __proto__ stays data', () => {
  const config = decodeContainerConfig(JSON.parse('{"Labels":{"__proto__":"x"},"__proto__":{"Image":"evil"}}'));
  expect(config.Image).toBe('');
  expect(Object.keys(config.Labels)).toEqual(['__proto__']);
});

test('an update leaves alone what is zero, empty or null', () => {
  expect(decodeUpdate({
    Memory: 0, CpusetCpus: '', BlkioWeightDevice: null, PidsLimit: null, RestartPolicy: { Name: '', MaximumRetryCount: 0 }, Hugetlbs: [],
  })).toEqual({});
  expect(decodeUpdate({
    Memory: 1, CpusetCpus: '0', PidsLimit: 0, RestartPolicy: { Name: 'always' }, BlkioDeviceReadBps: [{ Path: '/dev/a', Rate: 1 }],
    BlkioWeightDevice: [{ Path: '/dev/a', Weight: 10 }], Hugetlbs: [{ PageSize: '', Limit: 1 }],
  })).toEqual({
    Memory: 1, CpusetCpus: '0', PidsLimit: 0, RestartPolicy: { Name: 'always', MaximumRetryCount: 0 }, BlkioDeviceReadBps: [{ Path: '/dev/a',
      Rate: 1 }],
    BlkioWeightDevice: [{ Path: '/dev/a', Weight: 10 }], Hugetlbs: [{ PageSize: '', Limit: 1 }],
  });
  expect(messageFor(() => decodeUpdate({ Memory: true }))).toBe('invalidArgument: invalid JSON: Memory must be a number');
});
