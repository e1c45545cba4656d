import { EngineError } from '../../base/index.ts';
import {
  absolutePath, cgroupPath, countBetween, durationMs, logLevel, mirrors, octalMode, oneOf, parseHosts, portBetween, registries, rootDirectory,
  runtimeNameOf, runtimesFromJson, sizeBytes, ulimitsFromFlags, ulimitsFromJson,
} from './checks.ts';
import type { ConfigDraft } from './config.ts';
import { fileOnly, list, listOrText, pairs, port, text, toggle, wanted, type Kind } from './kinds.ts';
import { option, type DaemonOption } from './option.ts';

/** What this release cannot do yet is refused, never ignored. */
function unsupported(what: string): EngineError {
  return new EngineError('unsupported', `${what} is not supported by this release`);
}

/** A value that the guide lets be empty for "the default". */
function orDefault<T>(value: string, read: (value: string) => T, keep: (result: T) => void): void {
  if (value !== '') keep(read(value));
}

/** Layers that one pull or push may move at a time. */
function transfersAtOnce(value: number): number {
  if (value < 1 || value > 100) throw wanted('a number from 1 to 100');
  return value;
}

const logOptSetters: Record<string, (draft: ConfigDraft, value: string) => void> = {
  'log-path': (draft, value) => { draft.logPath = absolutePath(value); },
  'log-file-mode': (draft, value) => { draft.logFileMode = octalMode(value); },
  'max-file': (draft, value) => { draft.logMaxFiles = countBetween(value, 1, 1000); },
  'max-size': (draft, value) => { draft.logMaxBytes = sizeBytes(value, 1024); },
};

function setLogOpts(draft: ConfigDraft, values: Record<string, string>): void {
  for (const [key, value] of Object.entries(values)) {
    const set = Object.hasOwn(logOptSetters, key) ? logOptSetters[key] : undefined;
    if (!set) throw wanted(`options among ${Object.keys(logOptSetters).join(', ')}, not ${JSON.stringify(key)}`);
    try {
      set(draft, value);
    } catch (error) {
      if (error instanceof EngineError) throw new EngineError(error.code, `${error.message} for ${key}`);
      throw error;
    }
  }
}

/** Keys that `container-log` and `--container-log-opts` may have; the engine checks their values with those of containers. */
const containerLogOpts = ['max-size', 'max-file', 'disable-log'];

function setContainerLogOpts(draft: ConfigDraft, values: Record<string, string>): void {
  for (const key of Object.keys(values)) {
    if (!containerLogOpts.includes(key)) throw wanted(`options among ${containerLogOpts.join(', ')}, not ${JSON.stringify(key)}`);
  }
  if (values['max-size'] !== undefined) sizeBytes(values['max-size'], 1024);
  if (values['max-file'] !== undefined) countBetween(values['max-file'], 1, 1000);
  if (values['disable-log'] !== undefined) oneOf(values['disable-log'], ['true', 'false']);
  draft.containerLogOpts = { ...draft.containerLogOpts, ...values };
}

function setStorageOpts(draft: ConfigDraft, values: readonly string[]): void {
  for (const value of values) {
    const [, key = '', setting = ''] = /^([a-z0-9._]+)=(.*)$/.exec(value) ?? [];
    if (key.startsWith('dm.')) throw unsupported(`${JSON.stringify(value)}: the storage driver devicemapper`);
    if (key === 'overlay2.override_kernel_check') oneOf(setting, ['true', 'false']);
    else if (key === 'overlay2.size' || key === 'overlay2.basesize') sizeBytes(setting, 1024 * 1024);
    else throw wanted(`overlay2.override_kernel_check=true, overlay2.size=SIZE or overlay2.basesize=SIZE, not ${JSON.stringify(value)}`);
  }
  draft.storageOpts = [...values];
}

const ulimits: Kind<ReturnType<typeof ulimitsFromFlags>> = {
  isSwitch: false, isRepeatable: true, fromFlags: ulimitsFromFlags, fromJson: ulimitsFromJson,
};

/** Every option of the guide's `isulad --help` and every key of its two configuration files (1.2.3.1), in the order of the help. */
export const daemonOptions: readonly DaemonOption[] = [
  option({
    flag: 'authorization-plugin', keys: ['authorization-plugin'], kind: text, help: 'Use authorization plugin',
    set(_draft, value) {
      if (value !== '') throw unsupported(`authorization plugin ${JSON.stringify(value)}`);
    },
  }),
  option({
    flag: 'cgroup-parent', keys: ['cgroup-parent'], kind: text, help: 'Set parent cgroup for all containers',
    set: (draft, value) => orDefault(value, cgroupPath, (path) => { draft.cgroupParent = path; }),
  }),
  option({
    flag: 'cni-bin-dir', keys: ['cni-bin-dir'], kind: text,
    help: 'The full path of the directory in which to search for CNI plugin binaries. Default: /opt/cni/bin',
    set: (draft, value) => orDefault(value, absolutePath, (path) => { draft.cniBinDir = path; }),
  }),
  option({
    flag: 'cni-conf-dir', keys: ['cni-conf-dir'], kind: text,
    help: 'The full path of the directory in which to search for CNI config files. Default: /etc/cni/net.d',
    set: (draft, value) => orDefault(value, absolutePath, (path) => { draft.cniConfDir = path; }),
  }),
  option({
    flag: 'config-file', kind: text, help: 'Daemon configuration file, with daemon_constants.json beside it (default "/etc/isulad/daemon.json")',
    set: (draft, value) => { draft.configFile = absolutePath(value); },
  }),
  option({
    flag: 'container-log-driver', keys: ['container-log.driver'], kind: text, help: 'Set default container log driver, such as: json-file',
    set: (draft, value) => { draft.containerLogDriver = oneOf(value, ['json-file', 'none']); },
  }),
  option({
    flag: 'container-log-opts', keys: ['container-log.opts'], kind: pairs, set: setContainerLogOpts,
    help: 'Set default container log driver options, such as: max-file=7 to set max number of container log files',
  }),
  option({
    keys: ['cri-runtimes', 'cri-runtime'], kind: pairs,
    set(draft, value) {
      draft.criRuntimes = Object.fromEntries(Object.entries(value).map(([handler, runtime]) => [runtimeNameOf(handler), runtimeNameOf(runtime)]));
    },
  }),
  option({
    keys: ['default-host'], file: 'constants', kind: text,
    set: (draft, value) => { draft.defaultHost = registries([value])[0] ?? value; },
  }),
  option({
    keys: ['default-runtime'], kind: text,
    set: (draft, value) => orDefault(value, runtimeNameOf, (name) => { draft.defaultRuntime = name; }),
  }),
  option({
    flag: 'default-ulimit', keys: ['default-ulimits'], kind: ulimits, exclusiveAs: 'default-ulimits',
    help: 'Default ulimits for containers (default [])',
    set: (draft, value) => { draft.defaultUlimits = value; },
  }),
  option({
    flag: 'engine', short: 'e', keys: ['engine'], kind: text, help: 'Select backend engine',
    set: (draft, value) => { draft.engine = oneOf(value.toLowerCase(), ['lcr']); },
  }),
  option({
    flag: 'graph', short: 'g', keys: ['graph'], kind: text, help: 'Root directory of the iSulad runtime',
    set: (draft, value) => { draft.graph = rootDirectory(value); },
  }),
  option({
    flag: 'group', short: 'G', keys: ['group'], kind: text, help: 'Group for the unix socket(default is isulad)',
    set(draft, value) {
      if (!/^[A-Za-z0-9_][\w.-]{0,31}\$?$/.test(value)) throw wanted('the name or the number of a group');
      draft.group = value;
      draft.isGroupGiven = true;
    },
  }),
  option({
    flag: 'help', kind: toggle, help: 'Show help',
    set() {},
  }),
  option({
    flag: 'hook-spec', keys: ['hook-spec'], kind: text, help: 'Default hook spec file applied to all containers',
    set: (draft, value) => orDefault(value, absolutePath, (path) => { draft.hookSpec = path; }),
  }),
  option({
    flag: 'host', short: 'H', keys: ['hosts'], kind: listOrText, exclusiveAs: 'hosts', help: 'The socket name used to create gRPC server',
    set: (draft, value) => { draft.hosts = parseHosts(value); },
  }),
  option({
    flag: 'image-layer-check', keys: ['image-layer-check'], kind: toggle, help: 'Check layer integrity when needed',
    set: (draft, value) => { draft.imageLayerCheck = value; },
  }),
  option({
    flag: 'image-opt-timeout', keys: ['image-opt-timeout'], kind: text, help: 'Max timeout(default 5m) for image operation',
    set: (draft, value) => { draft.imageOptTimeoutMs = value === '-1' ? -1 : durationMs(value); },
  }),
  option({
    flag: 'insecure-registry', keys: ['insecure-registries'], kind: list, help: 'Disable TLS verification for the given registry',
    set: (draft, value) => { draft.insecureRegistries = registries(value); },
  }),
  option({
    flag: 'insecure-skip-verify-enforce', keys: ['insecure-skip-verify-enforce'], kind: toggle,
    help: 'Force to skip the insecure verify(default false)',
    set: (draft, value) => { draft.insecureSkipVerifyEnforce = value; },
  }),
  option({
    flag: 'log-driver', keys: ['log-driver'], kind: text, help: 'Set daemon log driver, such as: file',
    set: (draft, value) => { draft.logDriver = oneOf(value, ['file', 'stdout']); },
  }),
  option({
    flag: 'log-level', short: 'l', keys: ['log-level'], kind: text,
    help: 'Set log level, the levels can be: FATAL ALERT CRIT ERROR WARN NOTICE INFO DEBUG TRACE',
    set: (draft, value) => { draft.logLevel = logLevel(value); },
  }),
  option({
    flag: 'log-opt', keys: ['log-opts'], kind: pairs, set: setLogOpts,
    help: 'Set daemon log driver options, such as: log-path=/tmp/logs/ to set directory where to store daemon logs',
  }),
  option({
    flag: 'max-concurrent-downloads', keys: ['max-concurrent-downloads'], kind: port, help: 'Set the max concurrent downloads for each pull',
    set: (draft, value) => { draft.maxConcurrentDownloads = transfersAtOnce(value); },
  }),
  option({
    flag: 'max-concurrent-uploads', keys: ['max-concurrent-uploads'], kind: port, help: 'Set the max concurrent uploads for each push',
    set: (draft, value) => { draft.maxConcurrentUploads = transfersAtOnce(value); },
  }),
  option({
    flag: 'native.umask', keys: ['native.umask'], kind: text, help: 'Default file mode creation mask (umask) for containers',
    set: (draft, value) => { draft.umask = oneOf(value, ['secure', 'normal', '']) || 'secure'; },
  }),
  option({
    flag: 'network-plugin', keys: ['network-plugin'], kind: text, help: 'Set network plugin, default is null, support null and cni',
    set(_draft, value) {
      if (value === 'cni') throw unsupported('network plugin "cni"');
      if (value !== '' && value !== 'null') throw wanted('null or cni');
    },
  }),
  option({
    flag: 'pidfile', short: 'p', keys: ['pidfile'], kind: text, help: 'Save pid into this file',
    set: (draft, value) => { draft.pidfile = rootDirectory(value); },
  }),
  option({
    flag: 'pod-sandbox-image', keys: ['pod-sandbox-image'], kind: text,
    help: 'The image whose network/ipc namespaces containers in each pod will use. (default "pause-${machine}:3.0")',
    set: (draft, value) => orDefault(value, (name) => name, (name) => { draft.podSandboxImage = name; }),
  }),
  option({
    flag: 'registry-mirrors', keys: ['registry-mirrors'], kind: list,
    help: 'Registry to be prepended when pulling unqualified images (HOST=REGISTRY: when pulling those of HOST), can be specified multiple times',
    set: (draft, value) => { draft.registryMirrors = mirrors(value); },
  }),
  option({
    keys: ['registry-transformation'], file: 'constants', kind: pairs,
    set(draft, value) {
      registries([...Object.keys(value), ...Object.values(value)]);
      draft.registryTransformation = value;
    },
  }),
  option({
    keys: ['runtimes'], kind: fileOnly(runtimesFromJson),
    set: (draft, value) => { draft.runtimes = value; },
  }),
  option({
    flag: 'selinux-enabled', keys: ['selinux-enabled'], kind: toggle, help: 'Enable selinux support',
    set: (draft, value) => { draft.selinuxEnabled = value; },
  }),
  option({
    flag: 'start-timeout', keys: ['start-timeout'], kind: text, help: 'timeout duration for waiting on a container to start before it is killed',
    set: (draft, value) => { draft.startTimeoutMs = durationMs(value); },
  }),
  option({
    flag: 'state', short: 'S', keys: ['state'], kind: text, help: 'Root directory for execution state files',
    set: (draft, value) => { draft.state = rootDirectory(value); },
  }),
  option({
    flag: 'storage-driver', keys: ['storage-driver'], kind: text, help: 'Storage driver to use(default overlay2)',
    set(draft, value) {
      if (value === 'devicemapper') throw unsupported('storage driver "devicemapper"');
      draft.storageDriver = oneOf(value, ['overlay2']);
    },
  }),
  option({
    flag: 'storage-opt', short: 's', keys: ['storage-opts'], kind: list, help: 'Storage driver options', set: setStorageOpts,
  }),
  option({
    flag: 'tls', keys: ['tls'], kind: toggle, help: 'Use TLS; implied by --tlsverify',
    set: (draft, value) => { draft.tls = value; },
  }),
  option({
    flag: 'tlscacert', keys: ['tls-config.CAFile'], kind: text, help: 'Trust certs signed only by this CA (default "/root/.iSulad/ca.pem")',
    set: (draft, value) => { draft.tlsCaFile = absolutePath(value); },
  }),
  option({
    flag: 'tlscert', keys: ['tls-config.CertFile'], kind: text, help: 'Path to TLS certificate file (default "/root/.iSulad/cert.pem")',
    set: (draft, value) => { draft.tlsCertFile = absolutePath(value); },
  }),
  option({
    flag: 'tlskey', keys: ['tls-config.KeyFile'], kind: text, help: 'Path to TLS key file (default "/root/.iSulad/key.pem")',
    set: (draft, value) => { draft.tlsKeyFile = absolutePath(value); },
  }),
  option({
    flag: 'tlsverify', keys: ['tlsverify', 'tls-verify'], kind: toggle, help: 'Use TLS and verify the remote',
    set: (draft, value) => { draft.tlsVerify = value; },
  }),
  option({
    flag: 'use-decrypted-key', keys: ['use-decrypted-key'], kind: toggle, help: 'Use decrypted private key by default(default true)',
    set: (draft, value) => { draft.useDecryptedKey = value; },
  }),
  option({
    flag: 'userns-remap', keys: ['userns-remap'], kind: text, help: 'User/Group setting for user namespaces',
    set: (draft, value) => { draft.usernsRemap = value; },
  }),
  option({
    flag: 'version', short: 'V', kind: toggle, help: 'Print the version',
    set() {},
  }),
  option({
    flag: 'websocket-server-listening-port', keys: ['websocket-server-listening-port'], kind: port,
    help: 'CRI websocket streaming service listening port (default 10350)',
    set: (draft, value) => { draft.websocketServerListeningPort = portBetween(value, 1024, 49151); },
  }),
];
