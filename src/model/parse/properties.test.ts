/**
 * Properties of every parser: text in, a value or an EngineError out, at once; and what a formatter writes is read back. The formatters
 * that the product does not need stand here.
 */
import { expect, test } from 'bun:test';
import { EngineError } from '../../base/index.ts';
import type { DeviceMapping, HugetlbLimit, MountRequest, RestartPolicy, ThrottleDevice, Ulimit, WeightDevice } from '../container.ts';
import { splitHostChannel } from './device.ts';
import type { DeviceCgroupRule, PlatformSpec } from './index.ts';
import {
  checkContainerName, checkHostname, cleanPath, formatBytes, formatDeviceCgroupRule, formatDuration, formatTimestamp, formatUser, formatVolumeSpec,
  isCdiName, isLocalPath, normalizeCapability, parseBytes, parseBytesOrUnlimited, parseCgroupnsMode, parseCpus, parseCpuset, parseCsv, parseDevice,
  parseDeviceCgroupRule, parseDnsOption, parseDnsSearch, parseDnsServer, parseDuration, parseEnv, parseEnvFile, parseExpose, parseExtraHost,
  parseGpus, parseHugetlbLimit, parseIpcMode, parseLabel, parseLabelFile, parseMount, parseNetworkMode, parsePidMode, parsePlatform, parsePublish,
  parseRestartPolicy, parseSecurityOpts, parseSignal, parseSysctl, parseThrottleBps, parseThrottleIops, parseTimestamp, parseTmpfs, parseUlimit,
  parseUser, parseUsernsMode, parseUtsMode, parseVolumeSpec, parseVolumesFrom, parseWeightDevice,
} from './index.ts';
import { parseNetwork } from './network.ts';

/** Numbers from a seed (mulberry32), so that a failure comes again. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor(((t ^ (t >>> 14)) >>> 0) / 2 ** 32 * below);
  };
}

type Random = ReturnType<typeof randomFrom>;
const pick = <T>(random: Random, from: readonly [T, ...T[]]): T => from[random(from.length)] ?? from[0];

/** Bits that the grammars are made of, so that random text gets deep into them. */
const atoms = [
  ':', '=', ',', '/', '-', '.', ' ', '"', '\\', '\n', '\t', '\0', '%', '[', ']', '+', '*', '@', 'é', '\ufffd', '😀', 'a', 'Z', 'x1', '0', '1', '7',
    '99',
  '4096', '18446744073709551616', '1e9', 'NaN', '-1', '1.5', 'b', 'k', 'MiB', 'gb', 'ms', 'h', 'ns', '/dev/', '/dev/sda', 'rwm', 'ro', 'rslave',
    'nocopy', 'z',
  'type=', 'bind', 'volume', 'tmpfs', 'source=', 'target=', 'readonly', 'volume-opt=', 'tmpfs-size=', 'container:', 'host', 'none', 'private',
    'nofile=',
  'on-failure:', 'SIG', 'RTMIN+', 'tcp', 'udp', '127.0.0.1', '[::1]', '2026-01-02T03:04:05Z', 'vendor.com/class=', '__proto__', 'constructor',
    'net.', 'CAP_',
  'seccomp=', 'label=', 'name=', 'ip=', 'device=', 'a'.repeat(300), '../', '#',
] as const;

function randomText(random: Random): string {
  return Array.from({ length: random(9) }, () => pick(random, [...atoms, ''])).join('');
}

const parsers: Record<string, (text: string) => unknown> = {
  bytes: parseBytes, bytesOrUnlimited: parseBytesOrUnlimited, duration: parseDuration, timestamp: (text) => parseTimestamp(text, 1.7e12),
    ulimit: parseUlimit,
  device: parseDevice, deviceRule: parseDeviceCgroupRule, cdi: isCdiName, weight: parseWeightDevice, bps: parseThrottleBps, iops: parseThrottleIops,
  hugetlb: parseHugetlbLimit, csv: parseCsv, mount: parseMount, volume: parseVolumeSpec, volumesFrom: parseVolumesFrom, tmpfs: parseTmpfs,
  env: (text) => parseEnv(text, () => undefined), envFile: (text) => parseEnvFile(text, 'f', () => 'v'), label: parseLabel,
  labelFile: (text) => parseLabelFile(text, 'f'), restart: parseRestartPolicy, signal: parseSignal, user: parseUser, hostname: checkHostname,
  name: checkContainerName, cpuset: parseCpuset, sysctl: parseSysctl, addHost: parseExtraHost, dns: parseDnsServer, dnsSearch: parseDnsSearch,
  dnsOption: parseDnsOption, securityOpt: (text) => parseSecurityOpts([text]), expose: parseExpose, publish: parsePublish, network: parseNetwork,
  networkMode: parseNetworkMode, pid: parsePidMode, ipc: parseIpcMode, uts: parseUtsMode, userns: parseUsernsMode, cgroupns: parseCgroupnsMode,
  platform: (text) => parsePlatform(text, 'amd64'), cpus: parseCpus, capability: normalizeCapability, gpus: parseGpus, hostChannel: splitHostChannel,
  cleanPath, isLocalPath,
};

/** What each parser takes, for mutation: a random text alone seldom gets past the first check. */
const seeds: Record<string, string> = {
  bytes: '1.5g', duration: '1h30m2.5s', timestamp: '2026-02-03T04:05:06.789+02:00', ulimit: 'nofile=1024:2048', device: '/dev/sda:/dev/xvda:rwm',
    deviceRule: 'c 1:3 rwm',
  weight: '/dev/sda:500', bps: '/dev/sda:1mb', iops: '/dev/sda:100', hugetlb: '2MB:32MB', csv: 'a,"b ""c"" d",e',
  mount: 'type=bind,source=/a,target=/b,readonly,bind-propagation=rslave', volume: '/a:/b:ro,z,rslave', volumesFrom: 'c:ro',
    tmpfs: '/t:size=10m,mode=1777',
  envFile: 'A=1\n# c\nB\n', labelFile: 'a=b\nc', restart: 'on-failure:3', signal: 'SIGRTMIN+3', user: 'name:group', cpuset: '0-3,7',
    sysctl: 'net.a=1',
  addHost: 'h:[::1]', dnsSearch: 'a.example.com', publish: '[::1]:80-81:90-91/udp', expose: '80-81/tcp', network: 'name=n,ip=1.2.3.4',
    platform: 'linux/arm64/v8',
  gpus: '"device=0,1",capabilities=a', hostChannel: '/a:/b:rw:1m', securityOpt: 'label=type:x',
};

function mutate(text: string, random: Random): string {
  const at = random(text.length + 1);
  return pick(random, [
    text.slice(0, at) + pick(random, atoms) + text.slice(at), text.slice(0, at) + text.slice(at + 1 + random(3)), text + text, text.slice(0,
      at) + text.slice(at - 1),
  ]);
}

test.each(Object.keys(parsers))('%s throws nothing but invalidArgument or unsupported, whatever comes', (name) => {
  const random = randomFrom(name.length * 7919);
  const parse = parsers[name];
  if (parse === undefined) throw new Error(name);
  let text = seeds[name] ?? '';
  if (text !== '') expect(() => parse(text)).not.toThrow();
  for (let round = 0; round < 1500; round++) {
    text = round % 3 === 0 ? randomText(random) : mutate(round % 3 === 1 ? seeds[name] ?? text : text.slice(0, 400), random);
    try {
      parse(text);
    } catch (error) {
      if (!(error instanceof EngineError) || !['invalidArgument', 'unsupported'].includes(error.code)) throw error;
      if (error.message === '') throw new Error(`no message for ${JSON.stringify(text)}`);
    }
  }
});

test('long input ends at once: no grammar is quadratic or worse', () => {
  for (const parse of Object.values(parsers)) {
    for (const unit of ['a', '0', ',', ':', '/', '-', '.', '"', 'a.', '0,', '/..', '1h', 'a=b,', '\n', ' ']) {
      const started = process.cpuUsage().user;
      try {
        parse(unit.repeat(20_000));
      } catch (error) {
        if (!(error instanceof EngineError)) throw error;
      }
      // Microseconds of this process's own CPU, not of the clock: a loaded machine does not count.
      expect(process.cpuUsage().user - started).toBeLessThan(1_000_000);
    }
  }
});

function formatWeightDevice(device: WeightDevice): string {
  return `${device.Path}:${device.Weight}`;
}

function formatThrottleDevice(device: ThrottleDevice): string {
  return `${device.Path}:${device.Rate}`;
}

function formatHugetlbLimit(limit: HugetlbLimit): string {
  return `${limit.PageSize === '' ? '' : `${limit.PageSize}:`}${formatBytes(limit.Limit)}`;
}

function formatCpus(nanoCpus: number): string {
  return String(nanoCpus / 1e9);
}

/** The shortest list that `parseCpuset` reads back. */
function formatCpuset(indices: readonly number[]): string {
  const parts: string[] = [];
  for (let at = 0; at < indices.length;) {
    const first = indices[at] ?? 0;
    let end = at;
    while (indices[end + 1] === (indices[end] ?? 0) + 1) end++;
    parts.push(end === at ? String(first) : `${first}-${indices[end] ?? first}`);
    at = end + 1;
  }
  return parts.join(',');
}

function formatDevice(device: DeviceMapping): string {
  return `${device.PathOnHost}:${device.PathInContainer}:${device.CgroupPermissions}`;
}

/** The record that `parseCsv` reads back as these fields. */
function formatCsv(fields: readonly string[]): string {
  return fields.map((field) => (/[",\n\r]|^\s/.test(field) ? `"${field.replaceAll('"', '""')}"` : field)).join(',');
}

/** The text that `parseMount` reads back as this mount. */
function formatMount(mount: MountRequest): string {
  const fields = [`type=${mount.Type}`];
  if (mount.Source !== '') fields.push(`source=${mount.Source}`);
  if (mount.Target !== '') fields.push(`target=${mount.Target}`);
  if (mount.ReadOnly) fields.push('readonly');
  if (mount.Consistency !== undefined) fields.push(`consistency=${mount.Consistency}`);
  const { BindOptions: bind, VolumeOptions: volume, TmpfsOptions: tmpfs } = mount;
  if (bind?.Propagation !== undefined) fields.push(`bind-propagation=${bind.Propagation}`);
  if (bind?.NonRecursive === true) fields.push('bind-recursive=disabled');
  if (bind?.CreateMountpoint !== undefined) fields.push(`bind-create-src=${bind.CreateMountpoint}`);
  if (bind?.Selinux !== undefined) fields.push(`bind-selinux-opts=${bind.Selinux}`);
  if (volume?.NoCopy !== undefined) fields.push(`volume-nocopy=${volume.NoCopy}`);
  if (volume?.Subpath !== undefined) fields.push(`volume-subpath=${volume.Subpath}`);
  for (const [name, value] of Object.entries(volume?.Labels ?? {})) fields.push(`volume-label=${name}=${value}`);
  if (volume?.DriverConfig !== undefined && volume.DriverConfig.Name !== '') fields.push(`volume-driver=${volume.DriverConfig.Name}`);
  for (const [name, value] of Object.entries(volume?.DriverConfig?.Options ?? {})) fields.push(`volume-opt=${name}=${value}`);
  if (tmpfs?.SizeBytes !== undefined) fields.push(`tmpfs-size=${tmpfs.SizeBytes}`);
  if (tmpfs?.Mode !== undefined) fields.push(`tmpfs-mode=${tmpfs.Mode.toString(8)}`);
  return formatCsv(fields);
}

function formatPlatform(platform: PlatformSpec): string {
  return `${platform.os}/${platform.architecture}${platform.variant === undefined ? '' : `/${platform.variant}`}`;
}

function formatRestartPolicy(policy: RestartPolicy): string {
  return policy.MaximumRetryCount === 0 ? policy.Name : `${policy.Name}:${policy.MaximumRetryCount}`;
}

function formatUlimit(ulimit: Ulimit): string {
  return `${ulimit.Name}=${ulimit.Soft}:${ulimit.Hard}`;
}

/** Writes and reads back many random values. */
function roundTrip<T>(name: string, make: (random: Random) => T, format: (value: T) => string, parse: (text: string) => T): void {
  test(`${name}: what is written is read back`, () => {
    const random = randomFrom(name.length);
    for (let round = 0; round < 300; round++) {
      const value = make(random);
      expect(parse(format(value))).toEqual(value);
    }
  });
}

const word = (random: Random): string => `w${Array.from({ length: 1 + random(6) }, () => pick(random, ['a', 'B', '3', '_', '-'])).join('')}e`;
const path = (random: Random): string => `/${Array.from({ length: 1 + random(3) }, () => word(random)).join('/')}`;

roundTrip('bytes', (random) => random(2) === 0 ? random(2 ** 30) : random(1000) * 1024 ** random(5), formatBytes, parseBytes);
roundTrip('durations', (random) => (random(2) === 0 ? 1 : -1) * Math.floor(random(1e6) * 1000 ** random(4)) || 0, formatDuration, parseDuration);
roundTrip('timestamps', (random) => 1.7e12 + random(1e9) + random(1000) / 1000, formatTimestamp, (text) => Math.round(parseTimestamp(text,
  0) * 1000) / 1000);
roundTrip('cpus', (random) => random(64e9), formatCpus, parseCpus);
roundTrip('ulimits', (random) => ({ Name: pick(random, ['core', 'nofile', 'rttime']), Soft: random(100),
  Hard: random(2) === 0 ? -1 : 100 + random(1e6) }), formatUlimit, parseUlimit);
roundTrip('devices', (random) => ({ PathOnHost: path(random), PathInContainer: path(random), CgroupPermissions: pick(random, ['r', 'rw', 'mwr']) }),
  formatDevice, parseDevice);
roundTrip<DeviceCgroupRule>('device rules', (random) => ({
  type: pick(random, ['a', 'b', 'c']), major: pick(random, [undefined, random(4096)]), minor: pick(random, [undefined, random(2 ** 20)]),
    permissions: 'rwm',
}), formatDeviceCgroupRule, parseDeviceCgroupRule);
roundTrip('weights', (random) => ({ Path: `/dev${path(random)}`, Weight: 10 + random(991) }), formatWeightDevice, parseWeightDevice);
roundTrip('rates', (random) => ({ Path: `/dev${path(random)}`, Rate: random(2 ** 40) }), formatThrottleDevice, parseThrottleBps);
roundTrip('operations', (random) => ({ Path: `/dev${path(random)}`, Rate: random(1e6) }), formatThrottleDevice, parseThrottleIops);
roundTrip('huge pages', (random) => ({ PageSize: pick(random, ['', '64KB', '2MB', '1GB']), Limit: random(2 ** 40) }), formatHugetlbLimit,
  parseHugetlbLimit);
roundTrip('csv', (random) => Array.from({ length: 1 + random(4) }, () => randomText(random).replaceAll('\r', '')), formatCsv, parseCsv);
roundTrip<RestartPolicy>('restart policies', (random) => random(2) === 0
  ? { Name: 'on-failure', MaximumRetryCount: random(100) } : { Name: pick(random, ['no', 'always', 'unless-stopped', 'on-reboot']),
    MaximumRetryCount: 0 },
formatRestartPolicy, parseRestartPolicy);
roundTrip('cpusets', (random) => [...new Set(Array.from({ length: random(20) }, () => random(64)))].sort((a, b) => a - b), formatCpuset, parseCpuset);
roundTrip('users', (random) => ({ user: word(random), group: pick(random, [undefined, word(random), '0']) }), formatUser, parseUser);
roundTrip('platforms', (random) => ({ os: 'linux', architecture: pick(random, ['amd64', 'arm64', 'arm']), variant: pick(random, [undefined, 'v8']) }),
  formatPlatform, (text) => parsePlatform(text, 'amd64'));
roundTrip('volumes', (random) => {
  const source = pick(random, [path(random), word(random)]);
  const mode = pick(random, ['', 'ro', 'z', source.startsWith('/') ? 'ro,rshared' : 'rw,nocopy']);
  return parseVolumeSpec([source, path(random), mode].filter((part) => part !== '').join(':'));
}, formatVolumeSpec, parseVolumeSpec);
roundTrip<MountRequest>('mounts', (random) => pick<MountRequest>(random, [
  { Type: 'bind', Source: `${path(random)},"x"`, Target: path(random), ReadOnly: random(2) === 0,
    BindOptions: { Propagation: 'rslave', NonRecursive: true, Selinux: 'z' } },
  { Type: 'volume', Source: word(random), Target: path(random), ReadOnly: false,
    VolumeOptions: { NoCopy: true, Subpath: word(random), Labels: { [word(random)]: 'a,b' }, DriverConfig: { Name: 'local', Options: { type: 'x',
      o: 'a=b' } } } },
  { Type: 'tmpfs', Source: '', Target: path(random), ReadOnly: false, TmpfsOptions: { SizeBytes: random(2 ** 30), Mode: random(0o7777) } },
  { Type: 'squashfs', Source: path(random), Target: path(random), ReadOnly: true },
]), formatMount, parseMount);
roundTrip('signals', (random) => 1 + random(64), String, parseSignal);
