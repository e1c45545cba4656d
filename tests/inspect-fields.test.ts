import { expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { at, useDaemon } from './harness/index.ts';

const daemon = useDaemon();

/** Guide 1.3.1.10, under docker's names where docker has the field (CPUShares is CpuShares there). */
const guide = {
  top: ['Id', 'Created', 'Path', 'Args', 'State', 'Image', 'ResolvConfPath', 'HostnamePath', 'HostsPath', 'LogPath', 'Name', 'RestartCount',
    'HostConfig',
    'Mounts', 'Config'],
  state: ['Status', 'Running', 'Paused', 'Restarting', 'Pid', 'ExitCode', 'Error', 'StartedAt', 'FinishedAt', 'Health'],
  host: ['Binds', 'NetworkMode', 'GroupAdd', 'IpcMode', 'PidMode', 'Privileged', 'SystemContainer', 'NsChangeFiles', 'UserRemap', 'ShmSize',
    'AutoRemove',
    'AutoRemoveBak', 'ReadonlyRootfs', 'UTSMode', 'UsernsMode', 'Sysctls', 'Runtime', 'RestartPolicy', 'CapAdd', 'CapDrop', 'Dns', 'DnsOptions',
      'DnsSearch',
    'ExtraHosts', 'HookSpec', 'CpuShares', 'Memory', 'OomScoreAdj', 'BlkioWeight', 'BlkioWeightDevice', 'CpuPeriod', 'CpuQuota', 'CpuRealtimePeriod',
    'CpuRealtimeRuntime', 'CpusetCpus', 'CpusetMems', 'SecurityOpt', 'StorageOpt', 'KernelMemory', 'MemoryReservation', 'MemorySwap',
      'OomKillDisable',
    'PidsLimit', 'FilesLimit', 'Ulimits', 'Hugetlbs', 'HostChannel', 'EnvTargetFile', 'ExternalRootfs'],
  config: ['Hostname', 'User', 'Env', 'Tty', 'Cmd', 'Entrypoint', 'Labels', 'Annotations'],
};
/** What docker's clients look for besides (moby: ContainerInspectResponse). */
const docker = {
  top: ['Driver', 'Platform', 'MountLabel', 'ProcessLabel', 'AppArmorProfile', 'ExecIDs', 'GraphDriver', 'NetworkSettings'],
  state: ['OOMKilled', 'Dead'],
  host: ['ContainerIDFile', 'LogConfig', 'PortBindings', 'VolumeDriver', 'VolumesFrom', 'CgroupnsMode', 'Cgroup', 'Links', 'PublishAllPorts',
    'NanoCpus',
    'CgroupParent', 'Devices', 'DeviceCgroupRules', 'DeviceRequests', 'MemorySwappiness', 'MaskedPaths', 'ReadonlyPaths', 'Init', 'Tmpfs', 'Mounts'],
  config: ['Domainname', 'AttachStdin', 'AttachStdout', 'AttachStderr', 'OpenStdin', 'StdinOnce', 'Image', 'Volumes', 'WorkingDir', 'StopSignal'],
};

function missing(value: unknown, names: readonly string[]): string[] {
  return names.filter((name) => at(value, name) === undefined);
}

test('inspect has the guide\'s fields and docker\'s, the same from the API, the command line and --format', async () => {
  const id = await daemon.ok(['run', '-d', '--name', 'shown', '--health-cmd', 'true', '--health-interval', '1h', '-l', 'a=b', 'busybox', 'sleep',
    '1000']);
  const api = (await daemon.http('GET', `/containers/${id}/json`)).json();
  const cli: unknown = JSON.parse(await daemon.ok(['inspect', 'shown']));
  expect(at(cli, 0)).toEqual(api);
  expect(JSON.parse(await daemon.ok(['inspect', '-f', '{{json .}}', 'shown']))).toEqual(api);
  expect(missing(api, [...guide.top, ...docker.top])).toEqual([]);
  expect(missing(at(api, 'State'), [...guide.state, ...docker.state])).toEqual([]);
  expect(missing(at(api, 'HostConfig'), [...guide.host, ...docker.host])).toEqual([]);
  expect(missing(at(api, 'Config'), [...guide.config, ...docker.config])).toEqual([]);
  expect(at(api, 'HostConfig', 'RestartPolicy')).toEqual({ Name: 'no', MaximumRetryCount: 0 });
  expect(at(api, 'HostConfig', 'HostChannel')).toEqual({ PathOnHost: '', PathInContainer: '', Permissions: '', Size: 0 });
  expect(at(api, 'State', 'Health')).toEqual({ Status: 'starting', FailingStreak: 0, Log: [] });
  for (const [name, content] of [['HostnamePath', 'localhost\n'], ['ResolvConfPath', ''], ['HostsPath', '127.0.0.1\tlocalhost']] as const) {
    expect(readFileSync(String(at(api, name)), 'utf8')).toContain(content);
  }
  const pid = String(at(api, 'State', 'Pid'));
  expect(readFileSync(`/proc/${pid}/cmdline`, 'utf8')).toBe('sleep\x001000\x00');
  expect(await daemon.ok(['inspect', '-f', '{{json .State.Pid}} {{.Config.Labels.a}} {{index .Args 0}}', 'shown'])).toBe(`${pid} b 1000`);
});

test('what was asked for is what inspect shows', async () => {
  const table: [options: string[], path: string[], value: unknown][] = [
    [['-m', '64m'], ['Memory'], 64 * 2 ** 20], [['--memory-swap', '96m'], ['MemorySwap'], 96 * 2 ** 20], [['--cpus', '0.5'], ['NanoCpus'], 5e8],
    [['--cpu-shares', '7'], ['CpuShares'], 7], [['--cpuset-cpus', '0'], ['CpusetCpus'], '0'], [['--pids-limit', '9'], ['PidsLimit'], 9],
    [['--ulimit', 'nofile=5:6'], ['Ulimits'], [{ Name: 'nofile', Soft: 5, Hard: 6 }]], [['--shm-size', '1m'], ['ShmSize'], 2 ** 20],
    [['--hugetlb-limit', '2MB:4MB'], ['Hugetlbs'], [{ PageSize: '2MB', Limit: 4 * 2 ** 20 }]], [['--oom-score-adj', '5'], ['OomScoreAdj'], 5],
    [['--cap-add', 'net_admin'], ['CapAdd', '0'], expect.stringMatching(/net_admin/i)], [['--dns', '1.2.3.4'], ['Dns'], ['1.2.3.4']],
    [['--add-host', 'a:1.1.1.1'], ['ExtraHosts'], ['a:1.1.1.1']], [['--sysctl', 'kernel.shmmax=5'], ['Sysctls'], { 'kernel.shmmax': '5' }],
    [['--device', '/dev/null:/dev/x:r'], ['Devices'], [{ PathOnHost: '/dev/null', PathInContainer: '/dev/x', CgroupPermissions: 'r' }]],
    [['-v', '/tmp:/t:ro'], ['Binds'], ['/tmp:/t:ro']], [['--tmpfs', '/u:size=1m'], ['Tmpfs'], { '/u': 'size=1m' }], [['--read-only'],
      ['ReadonlyRootfs'], true],
    [['--group-add', '5'], ['GroupAdd'], ['5']], [['--security-opt', 'no-new-privileges'], ['SecurityOpt'], ['no-new-privileges']],
    [['--restart', 'on-failure:3'], ['RestartPolicy'], { Name: 'on-failure', MaximumRetryCount: 3 }], [['--pid', 'host'], ['PidMode'], 'host'],
    [['--init'], ['Init'], true], [['--log-opt', 'max-size=2m'], ['LogConfig', 'Config'], { 'max-size': '2m' }],
  ];
  const id = await daemon.ok(['create', '--name', 'asked', '-e', 'A=b', '-w', '/w', '--stop-signal', 'INT', '-u', '5', '-t',
    ...table.flatMap(([options]) => options),
    '--entrypoint', 'echo', 'busybox', 'x']);
  const answer = await daemon.http('GET', `/containers/${id}/json`);
  const inspected = answer.json();
  for (const [options, path, value] of table) expect([options, at(inspected, 'HostConfig', ...path)]).toEqual([options, value]);
  expect(at(inspected, 'Config', 'Env')).toContain('A=b');
  expect(at(inspected, 'Config')).toMatchObject({
    WorkingDir: '/w', StopSignal: 'INT', User: '5', Tty: true, Entrypoint: ['echo'], Cmd: ['x'],
  });
  expect([at(inspected, 'Path'), at(inspected, 'Args'), at(inspected, 'State', 'Status')]).toEqual(['echo', ['x'], 'created']);
  expect(at(inspected, 'Mounts')).toEqual([{ Type: 'bind', Source: '/tmp', Destination: '/t', Mode: 'ro', RW: false, Propagation: 'rprivate' }]);
  await daemon.ok(['rm', 'asked']);
  // Tools that replace a container send what inspect showed them.
  const [config, hostConfig] = [at(answer.json(), 'Config'), at(answer.json(), 'HostConfig')];
  const EndpointsConfig = at(answer.json(), 'NetworkSettings', 'Networks');
  const again = await daemon.http('POST', '/containers/create?name=again', {
    json: { ...Object(config), HostConfig: hostConfig, NetworkingConfig: { EndpointsConfig } },
  });
  expect([again.status, again.text]).toEqual([201, expect.stringContaining('"Warnings":[]')]);
  const copy = (await daemon.http('GET', '/containers/again/json')).json();
  expect([at(copy, 'HostConfig'), at(copy, 'Config')]).toEqual([hostConfig, config]);
  await daemon.ok(['rm', 'again']);
});

test('events: one life, by filters', async () => {
  const since = ['--since', '1h', '--until', '0s'];
  await daemon.ok(['create', '--name', 'lived', '-l', 'kind=test', 'busybox', 'sleep', '1000']);
  for (const command of [['start'], ['pause'], ['unpause'], ['exec'], ['restart', '-t', '0'], ['kill'], ['rename']]) {
    const rest = command[0] === 'exec' ? ['lived', 'true'] : command[0] === 'rename' ? ['lived', 'renamed'] : ['lived'];
    await daemon.ok([...command, ...rest]);
  }
  await daemon.ok(['rm', '-f', 'renamed']);
  const actions = async (...filters: string[]) =>
    (await daemon.ok(['events', ...since, ...filters.flatMap((filter) => ['--filter', filter]), '--format',
      '{{.Action}}'])).split('\n').map((line) => line.split(':')[0]);
  expect(await actions('label=kind=test')).toEqual([
    'create', 'start', 'pause', 'unpause', 'exec_create', 'exec_start', 'exec_die', 'kill', 'die', 'stop', 'start', 'restart', 'kill', 'die',
      'rename', 'destroy',
  ]);
  expect(await actions('label=kind=test', 'event=die')).toEqual(['die', 'die']);
  expect(await actions('label=kind=test', 'event=start', 'event=pause')).toEqual(['start', 'pause', 'start']);
  expect(await actions('type=image', 'label=kind=test')).toEqual(['']);
  const bad = await daemon.isula(['events', ...since, '--filter', 'nosuch=x']);
  expect([bad.code, bad.stderr]).toEqual([1, expect.stringContaining('nosuch')]);
});

test('ps: filters over every state; top takes ps options', async () => {
  await daemon.ok(['run', '--name', 'seven', 'busybox', 'sh', '-c', 'exit 7'], {}).catch(() => undefined);
  const names = async (...filters: string[]) =>
    (await daemon.ok(['ps', '-a', ...filters.flatMap((filter) => ['-f', filter]), '--format', '{{.Names}}'])).split('\n').toSorted();
  const id = await daemon.ok(['inspect', '-f', '{{.Id}}', 'shown']);
  const table: [filters: string[], found: string[]][] = [
    [['status=running'], ['shown']], [['status=exited'], ['seven']], [['exited=7'], ['seven']], [['exited=8'], ['']], [['name=sev'], ['seven']],
    [[`id=${id.slice(0, 8)}`], ['shown']], [['label=a'], ['shown']], [['label=a=c'], ['']], [['ancestor=busybox'], ['seven', 'shown']],
    [['health=starting'], ['shown']], [['before=seven'], ['shown']], [['since=shown'], ['seven']], [['status=running', 'status=exited'], ['seven',
      'shown']],
  ];
  for (const [filters, found] of table) expect([filters, await names(...filters)]).toEqual([filters, found]);
  expect((await daemon.isula(['ps', '-f', 'status=nosuch'])).stderr).toContain('nosuch');
  expect((await daemon.isula(['ps', '-f', 'nosuch=x'])).stderr).toContain('nosuch');
  expect((await daemon.ok(['top', 'shown', '-o', 'pid,comm'])).split('\n').map((line) => line.trim().split(/ +/))).toEqual(
    [['PID', 'COMMAND'], [expect.stringMatching(/^\d+$/), 'sleep']]);
  expect((await daemon.isula(['top', 'shown', '-o', 'nosuch'])).code).toBe(1);
  expect((await daemon.isula(['top', 'seven'])).stderr).toContain('is not running');
  await daemon.ok(['rm', '-f', 'shown', 'seven']);
});
