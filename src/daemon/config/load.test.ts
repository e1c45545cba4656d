import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../../base/index.ts';
import { ineffectiveOptions, type DaemonConfig } from './config.ts';
import { loadConfig, parseFlags } from './load.ts';
import { daemonOptions } from './options.ts';

let dir: string;
let file: string;

beforeAll(() => {
  dir = mkdtempSync('/tmp/isula-config-');
  file = join(dir, 'daemon.json');
});

afterAll(() => rmSync(dir, { recursive: true, force: true }));

function load(options: { flags?: readonly string[]; json?: unknown; constants?: unknown; env?: Record<string, string> }): DaemonConfig {
  writeFileSync(file, JSON.stringify(options.json ?? {}));
  writeFileSync(join(dir, 'daemon_constants.json'), JSON.stringify(options.constants ?? {}));
  return loadConfig(['--config-file', file, ...(options.flags ?? [])], options.env ?? {});
}

function failure(options: Parameters<typeof load>[0]): string {
  try {
    load(options);
  } catch (error) {
    return messageOf(error);
  }
  return 'it was taken';
}

interface Case {
  /** Key in daemon.json, outer object first. */
  key: readonly [string] | readonly [string, string];
  flag?: string;
  json: unknown;
  /** The same value as flags. */
  flags?: readonly string[];
  read: (config: DaemonConfig) => unknown;
  /** What it is in the configuration. */
  value: unknown;
  wrongType: unknown;
  /** A value of the right type that is refused, in the file and as a flag. */
  wrong?: { json: unknown; flags?: readonly string[]; message: string };
}

const nofile = { nofile: { Name: 'nofile', Hard: 6400, Soft: 3200 } };
const cases: readonly Case[] = [
  {
    key: ['authorization-plugin'], json: '', flags: ['--authorization-plugin='], read: (c) => c.authorizationPlugin, value: '', wrongType: 1,
    wrong: { json: 'authz-broker', flags: ['--authorization-plugin', 'authz-broker'], message: 'authorization plugin "authz-broker" is not' },
  },
  {
    key: ['cgroup-parent'], json: 'lxc/mycgroup', flags: ['--cgroup-parent=/lxc/mycgroup/'], read: (c) => c.cgroupParent, value: '/lxc/mycgroup',
    wrongType: [],
    wrong: { json: '/a/../b', flags: ['--cgroup-parent', '/a/../b'], message: 'want a cgroup path' },
  },
  {
    key: ['cni-bin-dir'], json: '/usr/cni', flags: ['--cni-bin-dir', '/usr/cni'], read: (c) => c.cniBinDir, value: '/usr/cni', wrongType: {},
    wrong: { json: 'bin', flags: ['--cni-bin-dir', 'bin'], message: 'want an absolute path' },
  },
  {
    key: ['cni-conf-dir'], json: '/etc/cni', flags: ['--cni-conf-dir', '/etc/cni'], read: (c) => c.cniConfDir, value: '/etc/cni', wrongType: false,
    wrong: { json: 'x', flags: ['--cni-conf-dir', 'x'], message: 'want an absolute path' },
  },
  {
    key: ['container-log', 'driver'], json: 'json-file', flags: ['--container-log-driver', 'json-file'], read: (c) => c.containerLogDriver,
    value: 'json-file',
    wrongType: 3, wrong: { json: 'syslog', flags: ['--container-log-driver', 'syslog'], message: 'want one of json-file, none' },
  },
  {
    key: ['container-log', 'opts'], json: { 'max-file': '3' }, flags: ['--container-log-opts', 'max-file=3'], read: (c) => c.containerLogOpts,
    value: { 'max-file': '3' },
    wrongType: 'max-file=3', wrong: { json: { 'max-files': '3' }, flags: ['--container-log-opts', 'max-files=3'], message: 'want options among' },
  },
  {
    key: ['cri-runtimes'], json: { kata: 'io.containerd.kata.v2' }, read: (c) => c.criRuntimes, value: { kata: 'io.containerd.kata.v2' },
    wrongType: 'kata',
  },
  { key: ['cri-runtime'], json: { kata: 'kata-runtime' }, read: (c) => c.criRuntimes, value: { kata: 'kata-runtime' }, wrongType: { kata: 1 } },
  {
    key: ['default-runtime'], json: 'runc', read: (c) => c.defaultRuntime, value: 'runc', wrongType: 1,
    wrong: { json: '../x', message: 'want the name of a runtime' },
  },
  {
    key: ['default-ulimits'], json: nofile, flags: ['--default-ulimit', 'nofile=3200:6400'], read: (c) => c.defaultUlimits,
    value: [{ Name: 'nofile', Soft: 3200, Hard: 6400 }], wrongType: 'nofile=1',
    wrong: { json: { nofile: { Name: 'nproc', Hard: 1, Soft: 1 } }, flags: ['--default-ulimit', 'nofile=2:1'], message: '' },
  },
  {
    key: ['engine'], json: 'lcr', flags: ['-e', 'LCR'], read: (c) => c.engine, value: 'lcr', wrongType: null,
    wrong: { json: 'docker', flags: ['-e', 'docker'], message: 'want lcr' },
  },
  {
    key: ['graph'], json: '/data/isulad/', flags: ['-g=/data/isulad'], read: (c) => c.graph, value: '/data/isulad', wrongType: 1,
    wrong: { json: '/', flags: ['-g', '/'], message: 'want a directory other than /' },
  },
  {
    key: ['group'], json: 'wheel', flags: ['-G', 'wheel'], read: (c) => [c.group, c.isGroupGiven], value: ['wheel', true], wrongType: 0,
    wrong: { json: 'a:b', flags: ['--group', 'a:b'], message: 'want the name or the number of a group' },
  },
  {
    key: ['hook-spec'], json: '/etc/hooks.json', flags: ['--hook-spec', '/etc/hooks.json'], read: (c) => c.hookSpec, value: '/etc/hooks.json',
    wrongType: [],
    wrong: { json: 'hooks.json', flags: ['--hook-spec', 'hooks.json'], message: 'want an absolute path' },
  },
  {
    key: ['hosts'], json: 'unix:///run/a.sock', flags: ['-H', 'unix:///run/a.sock'], read: (c) => c.hosts.map(({ text }) => text),
    value: ['unix:///run/a.sock'],
    wrongType: { a: 1 }, wrong: { json: ['unix://run/a.sock'], flags: ['-H', 'tcp://example.com:1'], message: 'want unix://' },
  },
  { key: ['image-layer-check'], json: true, flags: ['--image-layer-check'], read: (c) => c.imageLayerCheck, value: true, wrongType: 'true' },
  {
    key: ['image-opt-timeout'], json: '1m30s', flags: ['--image-opt-timeout', '90s'], read: (c) => c.imageOptTimeoutMs, value: 90_000, wrongType: 5,
    wrong: { json: '5x', flags: ['--image-opt-timeout', '0'], message: '' },
  },
  {
    key: ['insecure-registries'], json: ['reg:5000'], flags: ['--insecure-registry', 'reg:5000'], read: (c) => c.insecureRegistries,
    value: ['reg:5000'],
    wrongType: 'reg:5000', wrong: { json: ['a b'], flags: ['--insecure-registry', 'a b'], message: 'want registries' },
  },
  {
    key: ['insecure-skip-verify-enforce'], json: true, flags: ['--insecure-skip-verify-enforce=true'], read: (c) => c.insecureSkipVerifyEnforce,
    value: true,
    wrongType: 1,
  },
  {
    key: ['log-driver'], json: 'file', flags: ['--log-driver', 'file'], read: (c) => c.logDriver, value: 'file', wrongType: {},
    wrong: { json: 'syslog', flags: ['--log-driver=syslog'], message: 'want one of file, stdout' },
  },
  {
    key: ['log-level'], json: 'ERROR', flags: ['-l', 'error'], read: (c) => c.logLevel, value: 'ERROR', wrongType: 3,
    wrong: { json: 'LOUD', flags: ['-l=LOUD'], message: 'want one of FATAL, ALERT' },
  },
  {
    key: ['log-opts'], json: { 'log-file-mode': '0640', 'log-path': '/l', 'max-file': '2', 'max-size': '30KB' },
    flags: ['--log-opt', 'log-file-mode=0640', '--log-opt', 'log-path=/l', '--log-opt', 'max-file=2', '--log-opt=max-size=30KB'],
    read: (c) => [c.logFileMode, c.logPath, c.logMaxFiles, c.logMaxBytes], value: [0o640, '/l', 2, 30 * 1024], wrongType: ['max-file=2'],
    wrong: { json: { 'log-file-mode': '0999' }, flags: ['--log-opt', 'max-file=0'], message: '' },
  },
  {
    key: ['max-concurrent-downloads'], json: 8, flags: ['--max-concurrent-downloads', '8'], read: (c) => c.maxConcurrentDownloads, value: 8,
    wrongType: '8',
    wrong: { json: 0, flags: ['--max-concurrent-downloads', '101'], message: 'want a number from 1 to 100' },
  },
  {
    key: ['max-concurrent-uploads'], json: 8, flags: ['--max-concurrent-uploads', '8'], read: (c) => c.maxConcurrentUploads, value: 8, wrongType: '8',
    wrong: { json: 0, flags: ['--max-concurrent-uploads', '101'], message: 'want a number from 1 to 100' },
  },
  {
    key: ['native.umask'], json: 'normal', flags: ['--native.umask', 'normal'], read: (c) => c.umask, value: 'normal', wrongType: 22,
    wrong: { json: '0022', flags: ['--native.umask=0022'], message: 'want one of secure, normal, ""' },
  },
  {
    key: ['network-plugin'], json: '', flags: ['--network-plugin', 'null'], read: (c) => c.networkPlugin, value: '', wrongType: 1,
    wrong: { json: 'cni', flags: ['--network-plugin', 'cni'], message: 'network plugin "cni" is not supported by this release' },
  },
  {
    key: ['pidfile'], json: '/run/p', flags: ['-p', '/run/p'], read: (c) => c.pidfile, value: '/run/p', wrongType: 7,
    wrong: { json: 'p', flags: ['-p', 'p'], message: 'want an absolute path' },
  },
  {
    key: ['pod-sandbox-image'], json: 'pause:3', flags: ['--pod-sandbox-image', 'pause:3'], read: (c) => c.podSandboxImage, value: 'pause:3',
    wrongType: 3,
  },
  {
    key: ['registry-mirrors'], json: ['docker.io', 'quay.io=https://m:1'],
    flags: ['--registry-mirrors', 'docker.io', '--registry-mirrors', 'quay.io=https://m:1'],
    read: (c) => c.registryMirrors, value: ['docker.io', 'quay.io=https://m:1'], wrongType: [1],
    wrong: { json: ['quay.io=ftp://x'], flags: ['--registry-mirrors', 'ftp://x'], message: 'want registries' },
  },
  {
    key: ['runtimes'], json: { kata: { path: '/usr/bin/kata', 'runtime-args': ['--x'] } }, read: (c) => c.runtimes,
    value: { kata: { path: '/usr/bin/kata', args: ['--x'] } }, wrongType: [],
    wrong: { json: { kata: { path: 'kata' } }, message: 'want an absolute path for "kata"' },
  },
  { key: ['selinux-enabled'], json: true, flags: ['--selinux-enabled'], read: (c) => c.selinuxEnabled, value: true, wrongType: 'yes' },
  {
    key: ['start-timeout'], json: '2m', flags: ['--start-timeout', '120s'], read: (c) => c.startTimeoutMs, value: 120_000, wrongType: 120,
    wrong: { json: '-2m', flags: ['--start-timeout', '-2m'], message: 'want a duration' },
  },
  {
    key: ['state'], json: '/run/s', flags: ['-S', '/run/s'], read: (c) => c.state, value: '/run/s', wrongType: {},
    wrong: { json: 's', flags: ['-S', 's'], message: 'want an absolute path' },
  },
  {
    key: ['storage-driver'], json: 'overlay2', flags: ['--storage-driver', 'overlay2'], read: (c) => c.storageDriver, value: 'overlay2', wrongType: 2,
    wrong: { json: 'devicemapper', flags: ['--storage-driver', 'devicemapper'], message: 'storage driver "devicemapper" is not supported' },
  },
  {
    key: ['storage-opts'], json: ['overlay2.override_kernel_check=true'], flags: ['-s', 'overlay2.override_kernel_check=true'],
    read: (c) => c.storageOpts,
    value: ['overlay2.override_kernel_check=true'], wrongType: {}, wrong: { json: ['overlay2.size=x'], flags: ['-s', 'a=b'], message: '' },
  },
  { key: ['tls'], json: true, flags: ['--tls'], read: (c) => c.tls, value: true, wrongType: 'true' },
  { key: ['tlsverify'], json: true, flags: ['--tlsverify'], read: (c) => [c.tls, c.tlsVerify], value: [true, true], wrongType: 1 },
  { key: ['tls-verify'], json: true, read: (c) => c.tlsVerify, value: true, wrongType: 1 },
  {
    key: ['tls-config', 'CAFile'], json: '/ca', flags: ['--tlscacert', '/ca'], read: (c) => c.tlsCaFile, value: '/ca', wrongType: 1,
    wrong: { json: 'ca', flags: ['--tlscacert', 'ca'], message: 'want an absolute path' },
  },
  {
    key: ['tls-config', 'CertFile'], json: '/c', flags: ['--tlscert', '/c'], read: (c) => c.tlsCertFile, value: '/c', wrongType: 1,
    wrong: { json: 'c', flags: ['--tlscert', 'c'], message: 'want an absolute path' },
  },
  {
    key: ['tls-config', 'KeyFile'], json: '/k', flags: ['--tlskey', '/k'], read: (c) => c.tlsKeyFile, value: '/k', wrongType: 1,
    wrong: { json: 'k', flags: ['--tlskey', 'k'], message: 'want an absolute path' },
  },
  { key: ['use-decrypted-key'], json: false, flags: ['--use-decrypted-key=false'], read: (c) => c.useDecryptedKey, value: false, wrongType: 'false' },
  { key: ['userns-remap'], json: 'isula', flags: ['--userns-remap', 'isula'], read: (c) => c.usernsRemap, value: 'isula', wrongType: 1 },
  {
    key: ['websocket-server-listening-port'], json: 1024, flags: ['--websocket-server-listening-port', '1024'],
    read: (c) => c.websocketServerListeningPort,
    value: 1024, wrongType: '1024',
    wrong: { json: 1023, flags: ['--websocket-server-listening-port', '49152'], message: 'want a port from 1024 to 49151' },
  },
];

function document(key: Case['key'], value: unknown): unknown {
  const [outer, inner] = key;
  return inner === undefined ? { [outer]: value } : { [outer]: { [inner]: value } };
}

for (const { key, json, flags, read, value, wrongType, wrong } of cases) {
  const name = key.join('.');
  test(`key ${name}: file and flag give the same, bad ones are named`, () => {
    expect(read(load({ json: document(key, json) }))).toEqual(value);
    if (flags) expect(read(load({ flags }))).toEqual(value);
    const shown = JSON.stringify(wrongType);
    expect(failure({ json: document(key, wrongType) })).toContain(`with file ${file}: invalid value ${shown} for key "${name}": want`);
    if (!wrong) return;
    const inFile = failure({ json: document(key, wrong.json) });
    expect(inFile).toStartWith(`unable to configure the isulad with file ${file}: invalid value ${JSON.stringify(wrong.json)} for key "${name}": `);
    expect(inFile).toContain(wrong.message);
    if (!wrong.flags) return;
    const asFlag = failure({ flags: wrong.flags });
    expect(asFlag).toMatch(/^invalid argument ".*" for "(?:-., )?--[a-z.-]+" flag: /);
    expect(asFlag).toContain(wrong.message);
  });
}

test('every key of the table is tested above or below', () => {
  const tested = new Set(cases.map(({ key }) => key.join('.')));
  const untested = daemonOptions.filter(({ file: which }) => which === 'daemon').flatMap(({ keys }) => keys).filter((key) => !tested.has(key));
  expect(untested).toEqual([]);
});

test('daemon_constants.json is read beside daemon.json', () => {
  const config = load({ constants: { 'default-host': 'hub.example', 'registry-transformation': { 'hub.example': 'r.example' } } });
  expect([config.defaultHost, config.registryTransformation]).toEqual(['hub.example', { 'hub.example': 'r.example' }]);
  const constantsFile = join(dir, 'daemon_constants.json');
  expect(failure({ constants: { graph: '/x' } })).toEndWith(`with file ${constantsFile}: unknown key "graph" with value "/x"`);
  expect(failure({ constants: { 'default-host': 1 } })).toBe(
    `unable to configure the isulad with file ${constantsFile}: invalid value 1 for key "default-host": want a string`,
  );
  expect(failure({ constants: { 'registry-transformation': { a: 'b c' } } })).toContain('for key "registry-transformation": want registries');
});

test('flag goes before file before default; log options merge by key', () => {
  const config = load({
    json: { 'log-level': 'ERROR', graph: '/from/file', 'log-opts': { 'max-file': '3', 'log-path': '/file' } },
    flags: ['-l', 'DEBUG', '--log-opt', 'max-file=5'],
  });
  expect([config.logLevel, config.graph, config.state]).toEqual(['DEBUG', '/from/file', '/var/run/isulad']);
  expect([config.logMaxFiles, config.logPath]).toEqual([5, '/file']);
  expect(config.hosts).toEqual([{ kind: 'unix', path: '/var/run/isulad.sock', text: 'unix:///var/run/isulad.sock' }]);
  expect(Object.isFrozen(config) && Object.isFrozen(config.hosts)).toBe(true);
});

test('hosts in both places stop the start in the guide\'s words (1.2.3.4)', () => {
  const flags = ['-H', 'unix:///var/run/isulad.sock', '--host', 'tcp://127.0.0.1:6789'];
  const json = { hosts: ['unix:///var/run/isulad.sock', 'tcp://localhost:5678', 'tcp://127.0.0.1:6789'] };
  expect(failure({ flags, json })).toBe(
    `unable to configure the isulad with file ${file}: the following directives are specified both as a flag and in the configuration file: `
    + 'hosts: (from flag: [unix:///var/run/isulad.sock tcp://127.0.0.1:6789], '
    + 'from file: [unix:///var/run/isulad.sock tcp://localhost:5678 tcp://127.0.0.1:6789])',
  );
  const doubled = failure({ flags: ['--default-ulimit', 'nofile=1'], json: { 'default-ulimits': nofile } });
  expect(doubled).toContain('default-ulimits: (from flag: [nofile=1], from file:');
});

test('hosts: bounds and forms', () => {
  const eleven = Array.from({ length: 11 }, (_, index) => `unix:///run/${index}.sock`);
  expect(load({ json: { hosts: eleven.slice(1) } }).hosts).toHaveLength(10);
  expect(failure({ json: { hosts: eleven } })).toContain('want at most 10 hosts');
  for (const good of ['tcp://127.0.0.1:0', 'tcp://localhost:65535', 'tcp://[::1]:80']) expect(failure({ flags: ['-H', good] })).toBe('it was taken');
  const tcp = ['tcp://:80', 'tcp://1.2.3:80', 'tcp://1.2.3.4', 'tcp://1.2.3.4:65536', 'http://1.2.3.4:1'];
  const badOnes = ['', 'unix://', 'unix:///', 'unix:///run/', ...tcp];
  for (const bad of badOnes) {
    expect(failure({ flags: ['-H', bad] })).toContain(`invalid argument ${JSON.stringify(bad)} for "-H, --host" flag`);
  }
  expect(failure({ flags: ['-H', `unix:///${'a'.repeat(107)}`] })).toContain('at most 107 bytes');
  expect(failure({ flags: ['-H', 'unix:///a', '-H', 'unix:///a'] })).toBe('host unix:///a is given twice');
});

test('malformed files are named', () => {
  const fileProblem = (content: string) => {
    writeFileSync(file, content);
    try {
      loadConfig(['--config-file', file], {});
    } catch (error) {
      return messageOf(error);
    }
    return 'it was taken';
  };
  const prefix = `unable to configure the isulad with file ${file}: `;
  expect(fileProblem('{"graph": ')).toStartWith(`${prefix}it is not valid JSON: `);
  expect(fileProblem('')).toStartWith(`${prefix}it is not valid JSON: `);
  expect(fileProblem('[]')).toBe(`${prefix}want a JSON object, found []`);
  expect(fileProblem('{"grahp": "/x"}')).toBe(`${prefix}unknown key "grahp" with value "/x"`);
  expect(fileProblem('{"__proto__": 1}')).toBe(`${prefix}unknown key "__proto__" with value 1`);
  expect(fileProblem('{"tls-config": {"CaFile": "/x"}}')).toBe(`${prefix}unknown key "tls-config.CaFile" with value "/x"`);
  expect(fileProblem('{"tls-config": 1}')).toBe(`${prefix}invalid value 1 for key "tls-config": want an object`);
  expect(fileProblem('{"tlsverify": true, "tls-verify": true}')).toContain('"tlsverify" and "tls-verify" are the same option');
  expect(fileProblem(`{"graph": "/${'a'.repeat(1024 * 1024)}"}`)).toBe(`${prefix}it is larger than 1048576 bytes`);
  const other = join(dir, 'other.json');
  expect(() => loadConfig(['--config-file', other], {})).toThrow(`with file ${other}: no such file`);
  mkdirSync(join(dir, 'd'), { recursive: true });
  expect(() => loadConfig(['--config-file', join(dir, 'd')], {})).toThrow('it is not a regular file');
  symlinkSync('/dev/zero', join(dir, 'zero'));
  expect(() => loadConfig(['--config-file', join(dir, 'zero')], {})).toThrow('it is not a regular file');
});

test('what must fit together is checked', () => {
  expect(failure({ flags: ['-g', '/a/b', '-S', '/a/b/c'] })).toContain('neither inside the other');
  const missing = failure({ json: { 'default-runtime': 'kata' } });
  expect(missing).toStartWith('unable to configure the isulad with file /');
  expect(missing).toEndWith('daemon.json: invalid value "kata" for key "default-runtime": want one of lcr, crun, runc');
  expect(load({ json: { 'default-runtime': 'kata', runtimes: { kata: { path: '/k' } } } }).defaultRuntime).toBe('kata');
});

test('options that have no effect are named, the guide\'s empty ones are not', () => {
  const empty = { 'cni-bin-dir': '', 'cni-conf-dir': '', 'pod-sandbox-image': '', 'websocket-server-listening-port': 10350 };
  expect(ineffectiveOptions(load({ json: empty }))).toEqual([]);
  expect(ineffectiveOptions(load({ json: { ...empty, 'cri-runtime': { kata: 'io.containerd.kata.v2' } }, flags: ['--cni-bin-dir', '/x'] })))
    .toEqual(['cni-bin-dir', 'cri-runtimes']);
});

test('defaults, empty strings and ISULAD_TMPDIR', () => {
  const config = load({ json: { 'cni-bin-dir': '', 'cgroup-parent': '', 'pod-sandbox-image': '', 'native.umask': '', 'image-opt-timeout': '-1' } });
  expect([config.cniBinDir, config.cgroupParent, config.umask, config.imageOptTimeoutMs]).toEqual(['/opt/cni/bin', '/isulad', 'secure', -1]);
  expect(config.podSandboxImage).toMatch(/^rnd-dockerhub\.huawei\.com\/library\/pause-.+:3\.0$/);
  expect([config.tmpDir, config.logPath]).toEqual(['/var/lib/isulad/isulad_tmpdir', '/var/lib/isulad']);
  expect(load({ env: { ISULAD_TMPDIR: '/data' } }).tmpDir).toBe('/data/isulad_tmpdir');
  expect(() => load({ env: { ISULAD_TMPDIR: 'data' } })).toThrow('ISULAD_TMPDIR');
});

test('help and version win over everything but a bad flag; stray words are refused', () => {
  expect(parseFlags(['-l', 'LOUD', '--help']).command).toBe('help');
  expect(parseFlags(['-V']).command).toBe('version');
  expect(parseFlags(['-l', 'DEBUG']).command).toBe('run');
  expect(() => parseFlags(['--nope'])).toThrow('unknown flag: --nope');
  expect(() => parseFlags(['start'])).toThrow('unknown argument "start"');
  expect(() => parseFlags(['-l'])).toThrow('flag needs an argument: \'l\' in -l');
});
