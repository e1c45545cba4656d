import { expect, test } from 'bun:test';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { containerOptions } from '../src/model/options/index.ts';
import { at, useDaemon } from './harness/index.ts';

const daemon = useDaemon();

/** Wrong values by option: arguments, and what the user must be told. `DIR` is the test's own directory. */
const wrong: Record<string, [args: string[], message: string][]> = {
  'add-host': [[['--add-host', 'foo'], 'bad format for add-host'], [['--add-host', 'a:x'], 'invalid IP address'], [['--add-host', 'a:host-gateway'],
    'not supported']],
  annotation: [
    [['--annotation', '=x'], 'empty string is not permitted'], [['--annotation', 'native.umask=foo'], 'want normal or secure'],
    [['--annotation', 'run.oci.handler=wasm'], 'belong to the runtime'],
  ],
  attach: [[['-a', 'foo'], 'valid streams are']],
  'blkio-weight': [[['--blkio-weight', '9'], 'from 10 to 1000'], [['--blkio-weight', '1001'], 'from 10 to 1000'], [['--blkio-weight', 'x'],
    'invalid syntax']],
  'blkio-weight-device': [[['--blkio-weight-device', 'vda:100'], 'bad format'], [['--blkio-weight-device', '/dev/vda:5'], 'invalid weight']],
  'cap-add': [[['--cap-add', 'FOO'], 'unknown capability: "CAP_FOO"']],
  'cap-drop': [[['--cap-drop', ''], 'capability']],
  'cgroup-parent': [[['--cgroup-parent', '/a/../../b'], 'must not contain \'..\'']],
  cgroupns: [[['--cgroupns', 'foo'], 'invalid cgroup namespace mode: foo']],
  cidfile: [[['--cidfile', 'DIR/exists'], 'container ID file found'], [['--cidfile', 'DIR/none/cid'], 'failed to create the container ID file']],
  'cpu-period': [[['--cpu-period', '999'], 'can not be less than 1ms'], [['--cpu-period', '1000001'], 'larger than 1s'], [['--cpu-period', 'x'],
    'invalid syntax']],
  'cpu-quota': [[['--cpu-quota', '999'], 'can not be less than 1ms'], [['--cpu-quota', '1.5'], 'invalid syntax']],
  'cpu-rt-period': [[['--cpu-rt-period', '-1'], 'must not be negative']],
  'cpu-rt-runtime': [[['--cpu-rt-period', '10', '--cpu-rt-runtime', '20'], 'cannot be higher than']],
  'cpu-shares': [[['--cpu-shares', '-1'], 'must be a positive integer'], [['-c', '9223372036854775808'], 'out of range']],
  cpus: [[['--cpus', '0.001'], 'from 0.01'], [['--cpus', '100000'], 'as there are only'], [['--cpus', 'x'], 'rational number'], [['--cpus', '1',
    '--cpu-quota', '5000'], 'cannot both be set']],
  'cpuset-cpus': [[['--cpuset-cpus', '3-1'], 'invalid format'], [['--cpuset-cpus', '8000'], 'not available']],
  'cpuset-mems': [[['--cpuset-mems', 'a'], 'invalid format']],
  detach: [[['--detach=maybe'], 'invalid syntax'], [['-d', '-a', 'stdout'], 'cannot specify both --attach and --detach']],
  'detach-keys': [[['--detach-keys', 'ctrl-'], 'detach keys']],
  device: [
    [['--device', '/dev/nosuch'], 'no such file or directory'], [['--device', '/dev/null:/dev/x:q'], 'bad mode'], [['--device', '/etc'],
      'not a device node'],
    [['--device', 'vendor.com/class=none'], 'unresolvable CDI devices'],
  ],
  'device-cgroup-rule': [[['--device-cgroup-rule', 'c 1:3'], 'invalid device cgroup format']],
  'device-read-bps': [[['--device-read-bps', '/dev/vda:-1'], 'invalid rate for device'], [['--device-read-bps', '/dev/null:1mb'], 'block device']],
  'device-write-bps': [[['--device-write-bps', '/dev/vda'], 'bad format']],
  'device-read-iops': [[['--device-read-iops', '/dev/vda:1mb'], 'positive integer']],
  'device-write-iops': [[['--device-write-iops', '/dev/nosuch:1'], 'no such file']],
  dns: [[['--dns', 'foo'], 'IP address is not correctly formatted']],
  'dns-option': [[['--dns-opt', ''], 'dns']],
  'dns-search': [[['--dns-search', 'a b'], 'not a valid domain']],
  env: [[['-e', '=x'], 'invalid environment variable']],
  'env-file': [[['--env-file', 'DIR/none'], 'no such file'], [['--env-file', 'DIR/blanks'], 'contains whitespaces']],
  'env-target-file': [[['--env-target-file', 'x'], 'absolute path']],
  expose: [[['--expose', '70000'], 'invalid']],
  'external-rootfs': [[['--external-rootfs', 'rel'], 'absolute path'], [['--external-rootfs', 'DIR/none'], 'DIR/none']],
  'files-limit': [[['--files-limit', '100'], 'the files cgroup is not available']],
  gpus: [[['--gpus', 'all'], 'could not select device driver']],
  'group-add': [[['--group-add', 'a:b'], 'invalid group specification']],
  'health-cmd': [[['--health-cmd', 'true', '--no-healthcheck'], 'conflicts with --health-*']],
  'health-exit-on-unhealthy': [[['--health-exit-on-unhealthy=x'], 'invalid syntax']],
  'health-interval': [[['--health-interval', '10'], 'missing unit'], [['--health-interval', '999ms'], 'cannot be less than 1s']],
  'health-retries': [[['--health-retries', '-1'], 'cannot be negative'], [['--health-retries', '2147483648'], 'cannot be more than']],
  'health-start-interval': [[['--health-start-interval', '1ns'], 'cannot be less than']],
  'health-start-period': [[['--health-start-period', '-1s'], 'cannot be less than 1s']],
  'health-timeout': [[['--health-timeout', '5ms'], 'cannot be less than 1s']],
  'hook-spec': [[['--hook-spec', 'DIR/none'], 'does not exist'], [['--hook-spec', 'rel'], 'must be absolute']],
  'host-channel': [[['--host-channel', '/a'], 'host-channel'], [['--host-channel', '/dev/shm/a:/b:rw:4k'], 'not supported']],
  hostname: [[['-h', 'a b'], 'invalid hostname format'], [['-h', 'a', '--uts', 'host'], 'hostname and the UTS mode']],
  domainname: [[['--domainname', 'a', '--uts', 'host'], 'domainname and the UTS mode']],
  'hugetlb-limit': [[['--hugetlb-limit', '3MB:6MB'], 'huge'], [['--hugetlb-limit', 'x'], 'invalid hugetlb limit']],
  ip: [[['--ip', '1.2.3'], 'IP'], [['--ip', '1.2.3.4'], 'not supported']],
  ip6: [[['--ip6', 'x'], 'IP'], [['--ip6', '::1'], 'not supported']],
  ipc: [[['--ipc', 'foo'], 'invalid IPC mode: foo'], [['--ipc', 'container:nosuch'], 'No such container: nosuch']],
  isolation: [[['--isolation', 'hyperv'], 'only supports \'default\'']],
  'kernel-memory': [[['--kernel-memory', 'x'], 'invalid size']],
  label: [[['-l', '=x'], 'empty name']],
  'label-file': [[['--label-file', 'DIR/none'], 'no such file'], [['--label-file', 'DIR/blanks'], 'invalid label file']],
  link: [[['--link', 'a'], 'not supported']],
  'link-local-ip': [[['--link-local-ip', '1.2.3.4'], 'not supported']],
  'log-driver': [[['--log-driver', 'syslog'], 'no log driver named \'syslog\'']],
  'log-opt': [[['--log-opt', 'foo'], 'want key=value'], [['--log-opt', 'foo=bar'], 'foo'], [['--log-opt', 'max-size=10'], 'cannot be less than']],
  'mac-address': [[['--mac-address', 'x'], 'not a valid mac address'], [['--mac-address', '02:42:ac:11:00:02'], 'not supported']],
  memory: [[['-m', '1m'], 'Minimum memory limit allowed is 4MB'], [['-m', '5x'], 'invalid suffix'], [['-m', '-1'], 'invalid size']],
  'memory-reservation': [[['--memory-reservation', '1m'], '4MB'], [['-m', '8m', '--memory-reservation', '9m'], 'less than memory reservation']],
  'memory-swap': [[['--memory-swap', '10m'], 'always set the Memory limit'], [['-m', '8m', '--memory-swap', '5m'], 'larger than memory limit']],
  'memory-swappiness': [[['--memory-swappiness', '101'], 'valid memory swappiness range is 0-100']],
  mount: [
    [['--mount', 'type=foo,dst=/x'], 'mount type unknown'], [['--mount', 'type=bind,src=/nosuch,dst=/x'], 'bind source path does not exist'],
    [['--mount', 'type=bind,src=/tmp'], 'Target must not be empty'], [['--mount', 'type=tmpfs,src=/a,dst=/x'], 'Source must not be specified'],
    [['--mount', 'type=bind,src=/tmp,dst=/x,foo=1'], 'foo'], [['--mount', 'type=bind,src=/tmp,dst=x'], 'must be absolute'],
    [['--mount', 'type=squashfs,src=/nosuch,dst=/x'], 'does not exist'], [['--mount', 'type=volume,src=a/b,dst=/x'], 'invalid'],
    [['--mount', 'type=volume,src=fresh,dst=/x,volume-subpath=../y'], 'relative path within the volume'],
  ],
  name: [[['--name', 'a b'], 'Invalid container name'], [['--name', 'taken'], 'already in use']],
  network: [[['--network', 'foo'], 'not supported'], [['--net', 'container:'], 'invalid network mode'], [['--net', 'container:nosuch'],
    'No such container']],
  'network-alias': [[['--network-alias', 'x'], 'not supported']],
  'no-healthcheck': [[['--no-healthcheck', '--health-retries', '3'], 'conflicts']],
  'ns-change-opt': [[['--ns-change-opt', 'foo'], 'want net, ipc'], [['--ns-change-opt', 'net'], 'not supported']],
  'oom-kill-disable': [[['--oom-kill-disable=x'], 'invalid syntax']],
  'oom-score-adj': [[['--oom-score-adj', '1001'], '[-1000, 1000]']],
  pid: [[['--pid', 'foo'], 'invalid PID mode']],
  'pids-limit': [[['--pids-limit', '-2'], 'pids limit']],
  platform: [[['--platform', 'a/b/c/d'], 'invalid platform'], [['--platform', 'linux/s390x', '--pull', 'never'], 'of platform linux/s390x']],
  publish: [[['-p', '80:80'], 'not supported'], [['-p', 'x'], 'invalid']],
  'publish-all': [[['-P'], 'not supported']],
  pull: [[['--pull', 'foo'], 'must be one of']],
  restart: [
    [['--restart', 'foo'], 'unknown policy'], [['--restart', 'always', '--rm'], 'Conflicting options: --restart and --rm'],
    [['--restart', 'always:3'], 'only be used with'], [['--restart', 'on-failure:-1'], 'cannot be negative'],
  ],
  runtime: [[['-R', 'foo'], 'unknown or invalid runtime name']],
  'security-opt': [
    [['--security-opt', 'foo'], 'invalid --security-opt'], [['--security-opt', 'seccomp=DIR/none'], 'opening seccomp profile'],
    [['--security-opt', 'seccomp=DIR/blanks'], 'compacting json'], [['--security-opt', 'seccomp=DIR/object.json'], 'Decoding seccomp profile failed'],
    [['--security-opt', 'label=type:x'], 'SELinux is not enabled'], [['--security-opt', 'apparmor=x'], 'AppArmor is not enabled'],
  ],
  'shm-size': [[['--shm-size', 'x'], 'invalid size']],
  'stop-signal': [[['--stop-signal', 'FOO'], 'invalid signal: FOO']],
  'stop-timeout': [[['--stop-timeout', '-5'], 'invalid stop timeout']],
  'storage-opt': [[['--storage-opt', 'foo=1'], 'foo'], [['--storage-opt', 'size=x'], 'size'], [['--storage-opt', 'size=-1'], 'size']],
  sysctl: [
    [['--sysctl', 'vm.swappiness=3'], 'not allowed'], [['--sysctl', 'net.core.somaxconn=3', '--net', 'host'], 'host network namespace'],
    [['--sysctl', 'kernel.shmmax=3', '--ipc', 'host'], 'host ipc namespace'], [['--sysctl', 'x'], 'sysctl'],
  ],
  'system-container': [[['--system-container'], 'not supported']],
  tmpfs: [[['--tmpfs', 'rel'], 'must be absolute'], [['--tmpfs', '/x:foo'], 'foo'], [['--tmpfs', '/x', '-v', '/tmp:/x'], 'Duplicate mount point']],
  ulimit: [
    [['--ulimit', 'foo=1'], 'invalid ulimit type'], [['--ulimit', 'nofile=5:4'], 'less than or equal to hard limit'], [['--ulimit', 'nofile'],
      'invalid ulimit'],
    [['--ulimit', 'nofile=1:2:3'], 'too many limit'],
  ],
  user: [[['-u', 'a:b:c'], 'invalid user specification'], [['-u', '4294967296'], 'must be in range']],
  'user-remap': [[['--user-remap', 'x'], 'want uid:gid:offset'], [['--user-remap', '0:0:10'], 'not supported']],
  userns: [[['--userns', 'foo'], 'invalid USER mode'], [['--userns', 'private'], 'not supported']],
  uts: [[['--uts', 'foo'], 'invalid UTS mode']],
  volume: [
    [['-v', 'rel/x:/y'], 'includes invalid characters'], [['-v', '/tmp:rel'], 'must be absolute'], [['-v', '/tmp:/x:foo'], 'invalid mode: foo'],
    [['-v', '/a:/x', '-v', '/b:/x'], 'Duplicate mount point: /x'], [['-v', '/tmp:/'], '\'/\''], [['-v', '/usr:/x:z'], 'relabeling of /usr'],
  ],
  'volume-driver': [[['--volume-driver', 'foo'], 'only local is']],
  'volumes-from': [[['--volumes-from', ''], 'empty'], [['--volumes-from', 'nosuch'], 'No such container'], [['--volumes-from', 'taken:foo'], 'foo']],
  workdir: [[['-w', 'rel'], 'needs to be an absolute path']],
};

/** What takes any text, and switches, whose one wrong value is that of every switch. */
const anything = ['entrypoint', 'quiet', 'interactive', 'tty', 'init', 'rm', 'privileged', 'read-only', 'sig-proxy'];

test('every option of create and run has a wrong value, or takes any', () => {
  const options = containerOptions('run').filter((option) => option.hidden !== true).map((option) => option.name);
  expect(options.filter((name) => wrong[name] === undefined && !anything.includes(name))).toEqual([]);
  expect(Object.keys(wrong).filter((name) => !options.includes(name))).toEqual([]);
});

test('wrong values are refused with a reason, and nothing is made', async () => {
  const dir = join(daemon.dir, 'files');
  mkdirSync(dir);
  writeFileSync(join(dir, 'exists'), '');
  writeFileSync(join(dir, 'blanks'), 'a b=c\n');
  writeFileSync(join(dir, 'object.json'), '{"a":1}');
  await daemon.ok(['create', '--name', 'taken', 'busybox']);
  const before = footprint();
  const cases = Object.entries(wrong).flatMap(([name, list]) => list.map(([args, message]) => ({ name, args, message })));
  const switches = anything.filter((name) => name !== 'entrypoint').map((name) => ({ name, args: [`--${name}=maybe`], message: 'invalid syntax' }));
  const problems: string[] = [];
  const place = (text: string) => text.replaceAll('DIR', dir);
  for (const batch of batches([...cases, ...switches], 8)) {
    await Promise.all(batch.map(async ({ name, args, message }) => {
      // What only run takes, and the look-up of what create cannot know, end before a container runs as well.
      const run = ['detach', 'detach-keys', 'sig-proxy'].includes(name);
      const { code, stdout, stderr } = await daemon.isula([run ? 'run' : 'create', ...args.map(place), 'busybox', 'true']);
      if (code === 0 || !stderr.includes(place(message))) problems.push(`${args.join(' ')}: status ${code}, said: ${stdout}${stderr}`);
    }));
  }
  expect(problems).toEqual([]);
  expect(footprint()).toEqual(before);
  expect(await daemon.ok(['ps', '-a', '--format', '{{.Names}}'])).toBe('taken');
  expect(await daemon.ok(['volume', 'ls', '-q'])).toBe('');
});

test('the API judges by the same rules', async () => {
  const before = footprint();
  const table: [body: Record<string, unknown>, status: number, message: string][] = [
    [{ HostConfig: { Memory: 5 } }, 400, 'Minimum memory limit allowed is 4MB'],
    [{ HostConfig: { Memory: 'x' } }, 400, 'Memory'],
    [{ HostConfig: { CpuShares: -1 } }, 400, 'positive integer'],
    [{ HostConfig: { PidMode: 'foo' } }, 400, 'invalid PID mode'],
    [{ HostConfig: { Binds: ['a/b:/c'] } }, 400, 'invalid'],
    [{ HostConfig: { Binds: '/a:/b' } }, 400, 'Binds'],
    [{ HostConfig: { Mounts: [{ Type: 'bind', Source: '/nosuch', Target: '/x' }] } }, 400, 'does not exist'],
    [{ HostConfig: { Ulimits: [{ Name: 'nofile', Soft: 5, Hard: 4 }] } }, 400, 'hard limit'],
    [{ HostConfig: { Devices: [{ PathOnHost: '/dev/null', PathInContainer: '/dev/x', CgroupPermissions: 'q' }] } }, 400, 'mode'],
    [{ HostConfig: { RestartPolicy: { Name: 'foo' } } }, 400, 'unknown policy'],
    [{ HostConfig: { Sysctls: { 'vm.swappiness': '3' } } }, 400, 'not allowed'],
    [{ HostConfig: { DeviceRequests: [{ Driver: '', Count: -1, Capabilities: [['gpu']] }] } }, 501, 'could not select device driver'],
    [{ HostConfig: { PortBindings: { '80/tcp': [{ HostPort: '80' }] } } }, 501, 'not supported'],
    [{ Env: ['=x'] }, 400, 'invalid environment variable'],
    [{ Env: [1] }, 400, 'Env'],
    [{ WorkingDir: 'rel' }, 400, 'absolute path'],
    [{ Healthcheck: { Test: ['FOO'] } }, 400, 'Unknown type'],
    [{ StopSignal: 'FOO' }, 400, 'invalid signal'],
    [{ Image: 'nosuch' }, 404, 'No such image'],
  ];
  for (const [body, status, message] of table) {
    const answer = await daemon.http('POST', '/containers/create', { json: { Image: 'busybox', Cmd: ['true'], ...body } });
    expect([body, answer.status, String(at(answer.json(), 'message'))]).toEqual([body, status, expect.stringContaining(message)]);
  }
  expect(footprint()).toEqual(before);
});

test('update: wrong values change nothing', async () => {
  const limits = () => daemon.ok(['inspect', '-f', '{{json .HostConfig}}', 'taken']);
  const before = await limits();
  const table: [args: string[], message: string][] = [
    [[], 'must provide one or more flags'], [['-m', '1m'], '4MB'], [['--cpu-shares', 'x'], 'invalid syntax'], [['--cpu-period', '5'], '1ms'],
    [['--cpuset-cpus', '8000'], 'not available'], [['--memory-reservation', '1k'], '4MB'], [['--blkio-weight', '5'], 'from 10 to 1000'],
    [['--restart', 'foo'], 'unknown policy'], [['--pids-limit', '-2'], 'pids limit'], [['--files-limit', '5'], 'files cgroup'],
    [['--device-read-bps', 'vda:1'], 'bad format'], [['--hugetlb-limit', 'x'], 'hugetlb'], [['--cpus', '1000'], 'only'], [['--accel', 'x'],
      'not supported'],
    [['--memory-swap', 'x'], 'invalid size'], [['--cpu-quota', '5'], '1ms'], [['--cpu-rt-runtime', 'x'], 'invalid syntax'],
  ];
  for (const [args, message] of table) {
    const { code, stderr } = await daemon.isula(['update', ...args, 'taken']);
    expect([args, code === 0, stderr]).toEqual([args, false, expect.stringContaining(message)]);
  }
  expect(await limits()).toBe(before);
  expect((await daemon.isula(['update', '-m', '10m', 'nosuch'])).stderr).toContain('No such container: nosuch');
});

function batches<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) => items.slice(index * size, index * size + size));
}

/** Directories that a container would leave. */
function footprint(): string[][] {
  return ['state/bundles', 'graph/engines/lcr', 'graph/storage/overlay2/containers', 'graph/storage/overlay2/staging', 'graph/volumes'].map((path) =>
    readdirSync(join(daemon.dir, path)).toSorted());
}
