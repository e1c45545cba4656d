/** Known values of the parsers: what the guide and docker document. */
import { expect, test } from 'bun:test';
import {
  checkContainerName, checkHostname, cleanPath, formatBytes, formatDuration, isCdiName, isLocalPath, normalizeCapability, parseBytes,
  parseBytesOrUnlimited, parseCpus, parseCpuset, parseCsv, parseDevice, parseDeviceCgroupRule, parseDuration, parseEnvFile, parseExpose,
  parseExtraHost, parseGpus, parseHugetlbLimit, parseMount, parseNetworkMode, parsePlatform, parsePublish, parseRestartPolicy, parseSecurityOpts,
  parseSignal, parseSysctl, parseTimestamp, parseTmpfs, parseUlimit, parseUser, parseVolumeSpec, parseVolumesFrom,
} from './index.ts';
import { parseNetwork } from './network.ts';

test.each([
  ['0', 0], ['32', 32], ['32b', 32], ['32B', 32], ['32k', 32768], ['32KB', 32768], ['32KiB', 32768], ['1.5g', 1610612736], ['.5m', 524288], ['1 mb',
    1048576],
  ['2T', 2 * 1024 ** 4], ['1p', 1024 ** 5], ['1.5', 1],
])('size %s', (text, bytes) => expect(parseBytes(text)).toBe(bytes));

test.each(['', 'm', '-1', '+1', '1x', '1mbb', '1ibm', '1e3', '1..2', '1  m', ' 1', '0x10', '99999999p'])('no size: %j', (text) => {
  expect(() => parseBytes(text)).toThrow(/invalid (size|suffix)/);
});

test('-1 is a size only where it means no limit', () => {
  expect(parseBytesOrUnlimited('-1')).toBe(-1);
  expect(formatBytes(0)).toBe('0');
  expect(formatBytes(1536)).toBe('1536');
  expect(formatBytes(64 * 1024 * 1024)).toBe('64m');
});

test.each([
  ['0', 0], ['0s', 0], ['1h30m', 5400e9], ['2m', 120e9], ['1.5s', 1.5e9], ['100ms', 1e8], ['1us', 1000], ['1µs', 1000], ['5ns', 5], ['-1m', -60e9],
    ['+1s', 1e9],
  ['.1s', 1e8], ['1.s', 1e9],
])('duration %s', (text, nanos) => expect(parseDuration(text)).toBe(nanos));

test.each([
  ['', 'invalid duration'], ['5', 'missing unit in duration "5"'], ['5x', 'unknown unit "x" in duration "5x"'], ['-', 'invalid duration'], ['s',
    'invalid duration'],
  ['1h 2m', 'unknown unit "h "'], ['1d', 'unknown unit "d"'], ['99999999h', 'invalid duration'],
])('no duration: %j', (text, message) => expect(() => parseDuration(text)).toThrow(message));

test.each([[0, '0s'], [5400e9, '1h30m0s'], [60e9, '1m0s'], [1.5e9, '1.5s'], [25e7, '250ms'], [1500, '1.5µs'], [7, '7ns'], [-1e9,
  '-1s']])('%d is written %s',
  (nanos, text) => expect(formatDuration(nanos)).toBe(text));

test.each([
  ['1700000000', 1.7e12], ['1700000000.5', 1700000000500], ['2023-11-14T22:13:20Z', 1.7e12], ['2023-11-14T23:13:20+01:00', 1.7e12], ['2023-11-14Z',
    1699920000000],
  ['2023-11-14T22Z', 1699999200000], ['10m', 2e12 - 600_000], ['1h30m', 2e12 - 5_400_000], ['0', 0],
])('time %s', (text, ms) => expect(parseTimestamp(text, 2e12)).toBe(ms));

test('a time without a zone is local', () => {
  expect(parseTimestamp('2023-11-14T22:13:20', 0)).toBe(new Date(2023, 10, 14, 22, 13, 20).getTime());
  expect(parseTimestamp('2023-11-14', 0)).toBe(new Date(2023, 10, 14).getTime());
});

test.each(['', ' ', 'yesterday', '2023-02-30', '2023-13-01', '2023-01-01T25:00:00Z', '1.2.3'])('no time: %j', (text) => {
  expect(() => parseTimestamp(text, 0)).toThrow('failed to parse value as time or duration');
});

test('ulimits: guide 1.3.3.8', () => {
  expect(parseUlimit('nofile=1024:2048')).toEqual({ Name: 'nofile', Soft: 1024, Hard: 2048 });
  expect(parseUlimit('core=0')).toEqual({ Name: 'core', Soft: 0, Hard: 0 });
  expect(parseUlimit('core=-1')).toEqual({ Name: 'core', Soft: -1, Hard: -1 });
  expect(parseUlimit('core=5:-2')).toEqual({ Name: 'core', Soft: 5, Hard: -2 });
  expect(parseUlimit('cpu=-2')).toEqual({ Name: 'cpu', Soft: -2, Hard: -2 });
  const wrong = ['nofile', 'foo=1', 'nofile=2:1', 'nofile=1:2:3', 'nofile=', 'nofile=a', 'nofile=99999999999999999999'];
  for (const text of [...wrong, 'core=-1:5', 'core=-2:5', 'core=-1:-2', 'nofile=-2']) {
    expect(() => parseUlimit(text)).toThrow(/ulimit|too many limit value/);
  }
});

test('devices', () => {
  expect(parseDevice('/dev/sdc:/dev/xvdc:rwm')).toEqual({ PathOnHost: '/dev/sdc', PathInContainer: '/dev/xvdc', CgroupPermissions: 'rwm' });
  expect(parseDevice('/dev/sdc:r')).toEqual({ PathOnHost: '/dev/sdc', PathInContainer: '/dev/sdc', CgroupPermissions: 'r' });
  expect(parseDevice('/dev/bus//usb/')).toEqual({ PathOnHost: '/dev/bus/usb', PathInContainer: '/dev/bus/usb', CgroupPermissions: 'rwm' });
  for (const text of ['', 'sda', '/dev/a:/dev/b:x', '/dev/a:/dev/b:rr', '/dev/a:b', ':/dev/b', '/a:/b:r:w',
    '/dev/a:']) expect(() => parseDevice(text)).toThrow();
  expect(parseDeviceCgroupRule('c 1:* rw')).toEqual({ type: 'c', major: 1, minor: undefined, permissions: 'rw' });
  expect(isCdiName('vendor.com/device=gpu0')).toBe(true);
  for (const text of ['/dev/x', 'vendor/=x', 'v/c=', 'v/c', '-v/c=x']) expect(isCdiName(text)).toBe(false);
  expect(parseHugetlbLimit('2MB:32MB')).toEqual({ PageSize: '2MB', Limit: 32 * 1024 * 1024 });
  expect(parseHugetlbLimit('64k:1g').PageSize).toBe('64KB');
  expect(() => parseHugetlbLimit('3MB:32MB')).toThrow('invalid hugetlb limit');
});

test('CSV as Go reads it', () => {
  expect(parseCsv('a,"b,""c""",,d')).toEqual(['a', 'b,"c"', '', 'd']);
  expect(parseCsv('a,')).toEqual(['a', '']);
  for (const text of ['a"b', '"a', '"a"b', 'a\nb']) expect(() => parseCsv(text)).toThrow('parse error on line 1');
});

test('mounts', () => {
  expect(parseMount('type=bind,"source=/a,b",dst=/c,ro')).toEqual({ Type: 'bind', Source: '/a,b', Target: '/c', ReadOnly: true });
  expect(parseMount('target=/c')).toEqual({ Type: 'volume', Source: '', Target: '/c', ReadOnly: false });
  expect(parseMount('type=tmpfs,target=/c,tmpfs-size=1m,tmpfs-mode=1777').TmpfsOptions).toEqual({ SizeBytes: 1048576, Mode: 0o1777 });
  expect(parseMount('type=volume,src=v,dst=/c,volume-opt=o=a=b,volume-label=__proto__=x,readonly=false').VolumeOptions).toEqual({
    DriverConfig: { Name: '', Options: { o: 'a=b' } }, Labels: Object.fromEntries([['__proto__', 'x']]),
  });
  for (const [text, message] of [
    ['', 'value is empty'], ['type=nfs,dst=/a', 'mount type unknown'], ['type=bind,foo=1', 'unknown option \'foo\''], ['type',
      'must be a key=value pair'],
    ['type=bind,src= /a', 'value should not have whitespace'], ['src=', 'value is empty'], ['ro=maybe', 'invalid boolean value'],
    ['type=tmpfs,dst=/a,tmpfs-mode=9', 'invalid value for tmpfs-mode'], ['type=bind,src=/a,dst=/b,volume-nocopy', 'cannot mix \'volume-*\' options'],
    ['bind-nonrecursive=true', 'deprecated'], ['type=bind,bind-recursive=odd', 'invalid value for bind-recursive'],
      ['type=bind,bind-recursive=readonly', 'not supported'],
    ['type=image,image-subpath=a', 'not supported'],
  ] as const) expect(() => parseMount(text)).toThrow(message);
});

test('volumes', () => {
  expect(parseVolumeSpec('/a/../b:/c/:ro,Z,rslave')).toEqual({
    source: '/b', target: '/c', readOnly: true, propagation: 'rslave', selinux: 'Z', nocopy: undefined, mode: 'ro,Z,rslave',
  });
  expect(parseVolumeSpec('vol:/c:nocopy')).toMatchObject({ source: 'vol', nocopy: true });
  expect(parseVolumeSpec('/c')).toMatchObject({ source: '', target: '/c' });
  for (const text of ['', ':/a', '/a:/b:ro:x', '/a:ro', '/a:b', '/a:/', '/a:/b:ro,rw', '/a:/b:foo', 'v:/b:rshared', '/a:/b:nocopy', 'a/b:/c', 'v:']) {
    expect(() => parseVolumeSpec(text)).toThrow(/invalid/);
  }
  expect(parseVolumesFrom('c')).toEqual({ container: 'c', mode: 'rw', readOnly: false });
  expect(parseVolumesFrom('c:ro')).toEqual({ container: 'c', mode: 'ro', readOnly: true });
  expect(() => parseVolumesFrom(':ro')).toThrow('cannot be an empty string');
  expect(parseTmpfs('/run:rw,noexec,nosuid,size=65536k,mode=755,uid=1000')).toEqual({ target: '/run',
    options: 'rw,noexec,nosuid,size=65536k,mode=755,uid=1000' });
  for (const text of ['run', '/', '/r:size', '/r:size=x', '/r:mode=9', '/r:evil=1', '/r:']) {
    if (text === '/r:') expect(parseTmpfs(text).options).toBe('');
    else expect(() => parseTmpfs(text)).toThrow(/invalid/);
  }
  expect([cleanPath('/a/./b/../../..'), cleanPath('a/../..'), cleanPath('')]).toEqual(['/', '..', '.']);
  expect(['a/b', '../a', '/a', '..', 'a/../b', ''].map(isLocalPath)).toEqual([true, false, false, false, true, false]);
});

test('files of variables: grammar and faults', () => {
  expect(parseEnvFile('\ufeffA=1\r\n#x\n\n  B = 2\n'.replace('B ', 'B'), 'f', () => undefined)).toEqual(['A=1', 'B= 2']);
  expect(() => parseEnvFile('=x', 'f', () => undefined)).toThrow('invalid env file (f): no variable name on line \'=x\'');
  expect(() => parseEnvFile('A B=x', 'f', () => undefined)).toThrow('variable \'A B\' contains whitespaces');
  expect(() => parseEnvFile('A=\0', 'f', () => undefined)).toThrow('invalid utf8 bytes at line 1');
  expect(() => parseEnvFile(`A=${'x'.repeat(70_000)}`, 'f', () => undefined)).toThrow('line 1 is longer than');
  expect(() => parseEnvFile('\n'.repeat(20_000), 'f', () => undefined)).toThrow('more than 16384 lines');
});

test('restart policies', () => {
  expect(parseRestartPolicy('')).toEqual({ Name: 'no', MaximumRetryCount: 0 });
  expect(parseRestartPolicy('on-failure:5')).toEqual({ Name: 'on-failure', MaximumRetryCount: 5 });
  for (const [text, message] of [
    [':1', 'no policy provided before colon'], ['on-failure:x', 'maximum retry count must be an integer'], ['always:1',
      'can only be used with \'on-failure\''],
    ['on-failure:-1', 'cannot be negative'], ['sometimes', 'unknown policy \'sometimes\''],
  ] as const) expect(() => parseRestartPolicy(text)).toThrow(message);
});

test('signals', () => {
  expect(['TERM', 'sigterm', '15', 'SIGKILL', 'RTMIN', 'SIGRTMIN+3', 'rtmax-1', 'IOT', 'CLD', 'SYS'].map(parseSignal)).toEqual([15, 15, 15, 9, 34,
    37, 63, 6, 17, 31]);
  for (const text of ['', '0', '65', 'SIG', 'SIGFOO', 'RTMIN-1', 'RTMIN+31', '-9', '1.5',
    'constructor']) expect(() => parseSignal(text)).toThrow(`invalid signal: ${text}`);
});

test('users, names, hosts', () => {
  expect(parseUser('1000:users')).toEqual({ user: '1000', group: 'users' });
  expect(parseUser(':0')).toEqual({ user: '', group: '0' });
  for (const text of [':', 'a:', 'a:b:c', 'a b', '2147483648']) expect(() => parseUser(text)).toThrow();
  expect(checkContainerName('/a_b.c-1')).toBe('a_b.c-1');
  for (const text of ['', 'a', '_a', 'a/b', 'a b', 'x'.repeat(256)]) expect(() => checkContainerName(text)).toThrow('Invalid container name');
  for (const text of ['', '-a', 'a-', 'a..b', 'a b', 'ä']) expect(() => checkHostname(text)).toThrow('invalid hostname format');
  expect(parseExtraHost('h=1.2.3.4')).toBe('h:1.2.3.4');
  expect(parseExtraHost('h:::1')).toBe('h:::1');
  for (const text of ['h', 'h:', ':1.2.3.4', 'h:1.2.3', 'a:b=1.2.3.4']) expect(() => parseExtraHost(text)).toThrow(/add-host/);
});

test('numbers of CPUs', () => {
  expect(['1.5', '0.01', '.5', '2.', '1.000000001'].map(parseCpus)).toEqual([1.5e9, 1e7, 5e8, 2e9, 1000000001]);
  expect(() => parseCpus('1.0000000001')).toThrow('value is too precise');
  for (const text of ['', '.', 'x', '-1', '1e3']) expect(() => parseCpus(text)).toThrow('as a rational number');
  expect(parseCpuset('3,0-1,1')).toEqual([0, 1, 3]);
  for (const text of ['a', '1-', '3-1', '1,', '9999', '-1']) expect(() => parseCpuset(text)).toThrow();
});

test('networks and ports', () => {
  expect(parseNetworkMode('container:web')).toEqual({ kind: 'container', container: 'web' });
  expect(parseNetworkMode('')).toEqual({ kind: 'default' });
  expect(parseNetwork('name=n,ip=1.2.3.4')).toEqual({ name: 'n', options: [['ip', '1.2.3.4']] });
  expect(() => parseNetwork('name=n,foo=1')).toThrow('invalid field key foo');
  expect(parseExpose('80-81/udp')).toEqual(['80/udp', '81/udp']);
  expect(parsePublish('8080:80')).toEqual([{ port: '80/tcp', binding: { HostIp: '', HostPort: '8080' } }]);
  expect(parsePublish('127.0.0.1::80/udp')).toEqual([{ port: '80/udp', binding: { HostIp: '127.0.0.1', HostPort: '' } }]);
  expect(parsePublish('[::1]:8000-8001:80-81').map(({ binding }) => binding.HostPort)).toEqual(['8000', '8001']);
  expect(parsePublish('8000-8010:80')).toEqual([{ port: '80/tcp', binding: { HostIp: '', HostPort: '8000-8010' } }]);
  expect(parsePublish('published=1,target=2,protocol=sctp')).toEqual([{ port: '2/sctp', binding: { HostIp: '', HostPort: '1' } }]);
  for (const [text, message] of [
    ['', 'no port specified'], ['80:', 'no port specified'], ['x', 'invalid containerPort: x'], ['x:80', 'invalid hostPort: x'], ['1.2.3:80:80',
      'invalid IP address'],
    ['80/icmp', 'invalid proto: icmp'], ['80-82:90-91', 'invalid ranges'], ['70000', 'invalid containerPort'], ['target=1,foo=2',
      'invalid publish opts format'],
  ] as const) expect(() => parsePublish(text)).toThrow(message);
});

test('the rest', () => {
  expect(parseSysctl('net.core.somaxconn=1')).toEqual(['net.core.somaxconn', '1']);
  for (const text of ['kernel.pid_max=1', 'net', 'net.=1', '=1', 'net/../kernel=1',
    'net.a']) expect(() => parseSysctl(text)).toThrow(/is not allowed/);
  expect(normalizeCapability('cap_sys_admin')).toBe('CAP_SYS_ADMIN');
  expect(normalizeCapability('all')).toBe('ALL');
  expect(parseSecurityOpts(['label=type:t', 'label:level:s0:c1,c2', 'seccomp:unconfined', 'no-new-privileges=true'])).toEqual({
    noNewPrivileges: true, seccomp: { kind: 'unconfined' }, apparmor: undefined, selinux: { disable: false, type: 't', level: 's0:c1,c2' },
    systemPathsUnconfined: false,
  });
  for (const text of ['', 'x', 'seccomp', 'seccomp=', 'label=x', 'label=what:x', 'label=type:a b', 'no-new-privileges=maybe', 'systempaths=x']) {
    expect(() => parseSecurityOpts([text])).toThrow('invalid --security-opt');
  }
  expect(parsePlatform('x86_64', 'arm64')).toEqual({ os: 'linux', architecture: 'amd64', variant: undefined });
  expect(parsePlatform('linux', 'arm64').architecture).toBe('arm64');
  expect(parseGpus('all').Count).toBe(-1);
  expect(parseGpus('"device=0,1"').DeviceIDs).toEqual(['0', '1']);
});
