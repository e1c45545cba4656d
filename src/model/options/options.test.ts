import { expect, test } from 'bun:test';
import { EngineError, parseArguments } from '../../base/index.ts';
import { buildCreateRequest, buildUpdate, containerOptions } from './index.ts';
import type { OptionContext } from './index.ts';

const files: Record<string, string> = {
  '/env': '# comment\nA=1\n  B=two words \nHOME\nNOPE\n', '/labels': 'x=1\ny\n', '/seccomp.json': '{ "defaultAction": "SCMP_ACT_ALLOW" }',
    '/bad.json': '{',
};
const context: OptionContext = {
  env: (name) => (name === 'HOME' ? '/root' : undefined),
  readFile: (path) => {
    const text = files[path];
    if (text === undefined) throw new Error(`open ${path}: no such file or directory`);
    return text;
  },
  cwd: '/work',
};

function valuesOf(command: 'run' | 'update', argv: readonly string[]): { values: Map<string, string[]>; positionals: string[] } {
  const table = containerOptions(command).flatMap((option) =>
    [option.name, ...option.aliases ?? []].map((name) => ({
      name, key: option.name, isSwitch: option.type === 'bool', ...(option.short !== undefined && { short: option.short }),
    })));
  const { flags, positionals } = parseArguments(argv, table, { interspersed: false });
  const values = new Map<string, string[]>();
  for (const { flag, value } of flags) values.set(flag.key, [...values.get(flag.key) ?? [], value]);
  return { values, positionals };
}

function run(...argv: string[]) {
  const { values, positionals } = valuesOf('run', argv);
  const [image = 'img', ...command] = positionals;
  return buildCreateRequest(values, image, command, context);
}

function update(...argv: string[]) {
  return buildUpdate(valuesOf('update', argv).values);
}

function failure(...argv: string[]): string {
  try {
    run(...argv);
  } catch (error) {
    if (error instanceof EngineError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'no error';
}

test('the table is sound: no name or letter twice, every option means something, help fits', () => {
  for (const command of ['create', 'run', 'update'] as const) {
    const options = containerOptions(command);
    const names = options.flatMap((option) => [option.name, ...option.aliases ?? []]);
    const letters = options.flatMap((option) => option.short ?? []);
    expect(new Set(names).size).toBe(names.length);
    expect(new Set(letters).size).toBe(letters.length);
    for (const option of options) {
      expect(option.help.length).toBeGreaterThan(5);
      expect(command === 'update' ? option.update : option.apply).toBeDefined();
    }
  }
});

test('every option of docker create and update and of the guide is known', () => {
  const create = new Set(containerOptions('run').flatMap((option) => [option.name, ...option.aliases ?? []]));
  const wanted = 'add-host annotation attach blkio-weight blkio-weight-device cap-add cap-drop cgroup-parent cgroupns cidfile cpu-count cpu-percent '
    + 'cpu-period cpu-quota cpu-rt-period cpu-rt-runtime cpu-shares cpus cpuset-cpus cpuset-mems device device-cgroup-rule '
    + 'device-read-bps device-read-iops device-write-bps device-write-iops disable-content-trust dns dns-opt dns-option dns-search '
    + 'domainname entrypoint env env-file expose gpus group-add health-cmd health-interval health-retries health-start-interval '
    + 'health-start-period health-timeout hostname init interactive io-maxbandwidth io-maxiops ip ip6 ipc isolation kernel-memory '
    + 'label label-file link link-local-ip log-driver log-opt mac-address memory memory-reservation memory-swap memory-swappiness '
    + 'mount name net network net-alias network-alias no-healthcheck oom-kill-disable oom-score-adj pid pids-limit platform '
    + 'privileged publish publish-all pull quiet read-only restart rm runtime security-opt shm-size stop-signal stop-timeout '
    + 'storage-opt sysctl tmpfs tty ulimit use-api-socket user userns uts volume volume-driver volumes-from workdir detach detach-keys '
    + 'sig-proxy external-rootfs files-limit health-exit-on-unhealthy hook-spec hugetlb-limit system-container ns-change-opt '
    + 'env-target-file host-channel user-remap';
  expect(wanted.split(' ').filter((name) => !create.has(name))).toEqual([]);
  const update = new Set(containerOptions('update').map((option) => option.name));
  const wantedUpdate = 'accel blkio-weight cpu-period cpu-quota cpu-rt-period cpu-rt-runtime cpu-shares cpus cpuset-cpus cpuset-mems kernel-memory '
    + 'memory memory-reservation memory-swap pids-limit restart';
  expect(wantedUpdate.split(' ').filter((name) => !update.has(name))).toEqual([]);
});

test('without options: attached to output, nothing else', () => {
  const { request, clientOptions } = run('busybox');
  expect(request.config).toMatchObject({ Image: 'busybox', Cmd: null, AttachStdin: false, AttachStdout: true, AttachStderr: true, StdinOnce: false });
  expect(clientOptions).toEqual({ detach: false, cidfile: '', pull: 'missing', quiet: false, sigProxy: true, detachKeys: '', attach: [] });
});

test('-itd as the guide writes it', () => {
  const { request, clientOptions } = run('-itd', '--name=web', 'busybox', 'sh', '-c', 'x');
  expect(request.name).toBe('web');
  expect(request.config).toMatchObject({ Tty: true, OpenStdin: true, StdinOnce: false, AttachStdout: false, Cmd: ['sh', '-c', 'x'] });
  expect(clientOptions.detach).toBe(true);
  expect(run('-i', 'b').request.config).toMatchObject({ AttachStdin: true, StdinOnce: true });
  expect(run('-a', 'STDERR', 'b').request.config).toMatchObject({ AttachStdin: false, AttachStdout: false, AttachStderr: true });
  expect(failure('-d', '-a', 'stdout', 'b')).toContain('cannot specify both --attach and --detach');
});

test('environment and labels: files first, the caller\'s values, the last one wins', () => {
  const { config } = run('-e', 'A=9', '-e', 'HOME', '-e', 'GONE', '--env-file', '/env', '--label', 'x=2', '--label-file', '/labels', 'b').request;
  expect(config.Env).toEqual(['A=1', 'B=two words ', 'HOME=/root', 'A=9', 'HOME=/root', 'GONE']);
  expect(config.Labels).toEqual({ x: '2', y: '' });
  expect(failure('--env-file', '/none', 'b')).toContain('/none: no such file or directory');
});

test('resources', () => {
  const { hostConfig } = run(
    '-m', '1g', '--memory-swap', '-1', '--memory-reservation=512MB', '--cpus', '1.5', '-c', '512', '--cpuset-cpus', '0,2-3', '--pids-limit', '-1',
    '--files-limit', '1024', '--blkio-weight', '300', '--blkio-weight-device', '/dev/sda:10', '--device-read-bps', '/dev/sda:1mb',
      '--device-write-iops',
    '/dev/sda:100', '--hugetlb-limit', '2MB:32MB', '--ulimit', 'nofile=1:2', '--ulimit', 'nofile=3', '--shm-size', '128m', '--oom-score-adj=-5',
    '--memory-swappiness', '0', '--restart', 'on-failure:3', '--storage-opt', 'size=10M', 'b',
  ).request;
  expect(hostConfig).toMatchObject({
    Memory: 2 ** 30, MemorySwap: -1, MemoryReservation: 2 ** 29, NanoCpus: 1.5e9, CpuShares: 512, CpusetCpus: '0,2-3', PidsLimit: -1,
      FilesLimit: 1024,
    BlkioWeight: 300, BlkioWeightDevice: [{ Path: '/dev/sda', Weight: 10 }], BlkioDeviceReadBps: [{ Path: '/dev/sda', Rate: 1048576 }],
    BlkioDeviceWriteIOps: [{ Path: '/dev/sda', Rate: 100 }], Hugetlbs: [{ PageSize: '2MB', Limit: 33554432 }], Ulimits: [{ Name: 'nofile', Soft: 3,
      Hard: 3 }],
    ShmSize: 2 ** 27, OomScoreAdj: -5, MemorySwappiness: 0, RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 3 }, StorageOpt: { size: '10M' },
  });
});

test('isolation', () => {
  const { hostConfig } = run(
    '--cap-add', 'net_admin', '--cap-drop', 'ALL', '--security-opt', 'seccomp=/seccomp.json', '--security-opt', 'no-new-privileges', '--security-opt',
    'systempaths=unconfined', '--pid', 'host', '--ipc=shareable', '--uts', 'container:x', '--cgroupns', 'private', '--device',
      '/dev/sdc:/dev/xvdc:r', '--device',
    'vendor.com/gpu=all', '--device-cgroup-rule', 'c *:* rwm', '--sysctl', 'net.ipv4.ip_forward=1', '-R', 'LCR', '--net', 'none', 'b',
  ).request;
  expect(hostConfig).toMatchObject({
    CapAdd: ['net_admin'], CapDrop: ['ALL'], SecurityOpt: ['seccomp={"defaultAction":"SCMP_ACT_ALLOW"}', 'no-new-privileges'], MaskedPaths: [],
    ReadonlyPaths: [], PidMode: 'host', IpcMode: 'shareable', UTSMode: 'container:x', CgroupnsMode: 'private', CDIDevices: ['vendor.com/gpu=all'],
    Devices: [{ PathOnHost: '/dev/sdc', PathInContainer: '/dev/xvdc', CgroupPermissions: 'r' }], DeviceCgroupRules: ['c *:* rwm'],
    Sysctls: { 'net.ipv4.ip_forward': '1' }, Runtime: 'LCR', NetworkMode: 'none',
  });
});

test('storage and network', () => {
  const { request } = run(
    '-v', './a:/b:ro', '-v', '/anon', '-v', 'vol:/c', '--mount', 'type=bind,src=./d,dst=/e', '--tmpfs', '/t:size=1m', '--volumes-from', 'x:ro',
      '--add-host',
    'h=[::1]', '--dns', '1.1.1.1', '--dns-opt', 'ndots:2', '--dns-search', 'example.com.', '-p', '127.0.0.1:80-81:8000-8001/udp', '--expose', '9',
      '--ip',
    '10.0.0.2', '--net-alias', 'n', '--log-opt', 'max-size=1m', '--annotation', 'native.umask=normal', 'b',
  );
  expect(request.hostConfig).toMatchObject({
    Binds: ['/work/a:/b:ro', 'vol:/c'], Mounts: [{ Type: 'bind', Source: '/work/d', Target: '/e' }], Tmpfs: { '/t': 'size=1m' },
      VolumesFrom: ['x:ro'],
    ExtraHosts: ['h:::1'], Dns: ['1.1.1.1'], DnsOptions: ['ndots:2'], DnsSearch: ['example.com'],
    PortBindings: { '8000/udp': [{ HostIp: '127.0.0.1', HostPort: '80' }], '8001/udp': [{ HostIp: '127.0.0.1', HostPort: '81' }] },
    LogConfig: { Type: '', Config: { 'max-size': '1m' } },
  });
  expect(request.config).toMatchObject({
    Volumes: { '/anon': {} }, ExposedPorts: { '8000/udp': {}, '8001/udp': {}, '9/tcp': {} }, Annotations: { 'native.umask': 'normal' },
  });
  expect(request.networkingConfig.EndpointsConfig).toEqual({ default: { IPAMConfig: { IPv4Address: '10.0.0.2' }, Aliases: ['n'] } });
});

test('health', () => {
  expect(run('--health-cmd', 'true', '--health-interval', '5m', '--health-retries=2', '--health-exit-on-unhealthy', 'b').request.config.Healthcheck)
    .toEqual({ Test: ['CMD-SHELL', 'true'], Interval: 300e9, Retries: 2, ExitOnUnhealthy: true });
  expect(run('--no-healthcheck', 'b').request.config.Healthcheck).toEqual({ Test: ['NONE'] });
  expect(failure('--no-healthcheck', '--health-retries', '2', 'b')).toBe('invalidArgument: --no-healthcheck conflicts with --health-* options');
});

test.each([
  [['-m', 'x'], 'invalidArgument: invalid argument "x" for "-m, --memory" flag: invalid size: \'x\''],
  [['--cpu-shares', 'lots'], 'strconv.ParseInt: parsing "lots": invalid syntax'],
  [['--pull', 'perhaps'], 'must be one of "always", "missing" or "never"'],
  [['--attach', 'stdfoo'], 'valid streams are STDIN, STDOUT and STDERR'],
  [['--security-opt', 'seccomp=/none'], 'opening seccomp profile (/none) failed'],
  [['--security-opt', 'seccomp=/bad.json'], 'compacting json for seccomp profile (/bad.json) failed'],
  [['--security-opt', 'bogus=1'], 'invalid --security-opt'],
  [['--cpu-count', '1'], 'unsupported: --cpu-count is not supported'],
  [['--use-api-socket'], 'unsupported: --use-api-socket'],
  [['--accel', 'x'], 'unsupported: --accel'],
  [['--disable-content-trust=false'], 'unsupported: --disable-content-trust'],
  [['--network', 'a', '--network', 'b'], 'unsupported: more than one network'],
  [['--network', 'container:'], 'invalid container format'],
  [['--hostname', '-x'], 'invalid hostname format: -x'],
  [['--user-remap', '1'], 'want uid:gid:offset'],
  [['--host-channel', '/a:/b:rx:1'], 'invalid host channel'],
  [['--tty=maybe'], 'strconv.ParseBool'],
  [['--label', '=x'], 'empty name'],
  [['--env', '=x'], 'invalid environment variable: =x'],
  [['--storage-opt', 'foo=1'], 'unknown option foo'],
  [['--cap-add', 'fly'], 'unknown capability: "CAP_FLY"'],
])('%j is refused with reason', (argv, message) => {
  expect(failure(...argv, 'b')).toContain(message);
});

test('update takes what may change and nothing else', () => {
  expect(update('--cpu-shares', '512', '-m', '512m', '--restart=always', '--device-read-bps', '/dev/sda:1k', '--pids-limit', '0')).toEqual({
    CpuShares: 512, Memory: 2 ** 29, RestartPolicy: { Name: 'always', MaximumRetryCount: 0 }, BlkioDeviceReadBps: [{ Path: '/dev/sda',
      Rate: 1024 }], PidsLimit: 0,
  });
  expect(() => update()).toThrow('you must provide one or more flags when using this command');
  expect(() => update('--accel', 'x')).toThrow('there is no accelerator');
  expect(() => update('--tty')).toThrow('unknown flag: --tty');
});
