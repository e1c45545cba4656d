import { isDeepStrictEqual } from 'node:util';
import type { LogLevel } from '../../base/index.ts';
import type { Ulimit } from '../../model/index.ts';

/** One `-H`: where the daemon listens. */
export type HostAddress =
  | { readonly kind: 'unix'; readonly path: string; readonly text: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number; readonly text: string };

export interface RuntimeEntry {
  readonly path: string;
  readonly args: readonly string[];
}

/** Everything the daemon can be told (guide 1.2.3.1), with defaults filled in. Times are milliseconds, sizes bytes. */
export interface DaemonConfig {
  /** The files it was read from, whether or not they are there. */
  readonly configFile: string;
  readonly constantsFile: string;

  readonly hosts: readonly HostAddress[];
  /** Owner group of the unix sockets; `isGroupGiven`: it was asked for, so it must exist. */
  readonly group: string;
  readonly isGroupGiven: boolean;
  readonly graph: string;
  readonly state: string;
  readonly pidfile: string;
  /** Temporary files, emptied at start (guide 1.2.3.3). */
  readonly tmpDir: string;

  readonly logLevel: LogLevel;
  readonly logDriver: 'file' | 'stdout';
  readonly logPath: string;
  readonly logFileMode: number;
  readonly logMaxBytes: number;
  readonly logMaxFiles: number;

  readonly engine: string;
  readonly defaultRuntime: string;
  readonly runtimes: Readonly<Record<string, RuntimeEntry>>;
  /** CRI runtime handler to runtime. */
  readonly criRuntimes: Readonly<Record<string, string>>;
  readonly startTimeoutMs: number;
  readonly umask: 'secure' | 'normal';
  /** With a leading slash. */
  readonly cgroupParent: string;
  readonly hookSpec: string;
  readonly defaultUlimits: readonly Ulimit[];
  readonly containerLogDriver: string;
  readonly containerLogOpts: Readonly<Record<string, string>>;
  readonly selinuxEnabled: boolean;
  /** `default` or `user[:group]`; empty: users are not remapped. */
  readonly usernsRemap: string;

  readonly storageDriver: string;
  readonly storageOpts: readonly string[];
  readonly imageLayerCheck: boolean;
  /** -1: no limit. */
  readonly imageOptTimeoutMs: number;
  readonly maxConcurrentDownloads: number;
  readonly maxConcurrentUploads: number;
  readonly registryMirrors: readonly string[];
  readonly insecureRegistries: readonly string[];
  readonly insecureSkipVerifyEnforce: boolean;
  readonly useDecryptedKey: boolean;
  readonly defaultHost: string;
  readonly registryTransformation: Readonly<Record<string, string>>;

  readonly podSandboxImage: string;
  readonly networkPlugin: string;
  readonly cniBinDir: string;
  readonly cniConfDir: string;
  readonly websocketServerListeningPort: number;
  readonly authorizationPlugin: string;

  /** TLS on the tcp hosts; `tlsVerify` asks clients for a certificate and implies `tls`. */
  readonly tls: boolean;
  readonly tlsVerify: boolean;
  readonly tlsCaFile: string;
  readonly tlsCertFile: string;
  readonly tlsKeyFile: string;
}

/** A configuration being put together. */
export type ConfigDraft = { -readonly [Key in keyof DaemonConfig]: DaemonConfig[Key] };

const machines: Record<string, string> = { x64: 'x86_64', arm64: 'aarch64' };

export function defaultConfig(): ConfigDraft {
  const machine = machines[process.arch] ?? process.arch;
  return {
    configFile: '/etc/isulad/daemon.json', constantsFile: '/etc/isulad/daemon_constants.json',
    hosts: [], group: 'isulad', isGroupGiven: false,
    graph: '/var/lib/isulad', state: '/var/run/isulad', pidfile: '/var/run/isulad.pid', tmpDir: '',
    logLevel: 'INFO', logDriver: 'stdout', logPath: '', logFileMode: 0o600, logMaxBytes: 1024 * 1024, logMaxFiles: 7,
    engine: 'lcr', defaultRuntime: 'lcr', runtimes: {}, criRuntimes: {}, startTimeoutMs: 120_000, umask: 'secure',
    cgroupParent: '/isulad', hookSpec: '', defaultUlimits: [], containerLogDriver: 'json-file', containerLogOpts: {},
    selinuxEnabled: false, usernsRemap: '',
    storageDriver: 'overlay2', storageOpts: [], imageLayerCheck: false, imageOptTimeoutMs: 300_000, registryMirrors: [],
    maxConcurrentDownloads: 3, maxConcurrentUploads: 5,
    insecureRegistries: [], insecureSkipVerifyEnforce: false, useDecryptedKey: true, defaultHost: 'docker.io',
    registryTransformation: { 'docker.io': 'registry-1.docker.io', 'index.docker.io': 'registry-1.docker.io' },
    podSandboxImage: `rnd-dockerhub.huawei.com/library/pause-${machine}:3.0`, networkPlugin: '', cniBinDir: '/opt/cni/bin',
    cniConfDir: '/etc/cni/net.d', websocketServerListeningPort: 10350, authorizationPlugin: '',
    tls: false, tlsVerify: false, tlsCaFile: '/root/.iSulad/ca.pem', tlsCertFile: '/root/.iSulad/cert.pem', tlsKeyFile: '/root/.iSulad/key.pem',
  };
}

/** Options of CRI pods, which this release does not run: taken, as the guide's own configuration file has them, and without effect. */
const podOptions = [
  ['cniBinDir', 'cni-bin-dir'], ['cniConfDir', 'cni-conf-dir'], ['criRuntimes', 'cri-runtimes'], ['podSandboxImage', 'pod-sandbox-image'],
  ['websocketServerListeningPort', 'websocket-server-listening-port'],
] as const;

/** The names of given options that have no effect, for the log. */
export function ineffectiveOptions(config: DaemonConfig): string[] {
  const defaults = defaultConfig();
  return podOptions.filter(([key]) => !isDeepStrictEqual(config[key], defaults[key])).map(([, name]) => name);
}
