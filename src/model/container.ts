/**
 * A container's configuration, in the words of the Docker Engine API (moby api/swagger.yaml: ContainerConfig,
 * HostConfig) extended by the options of the iSula guide (chapter 1.3.1.10). It is what the API carries, what is
 * stored, and what `inspect` shows: one schema. Sizes are bytes, durations nanoseconds, unless the name says otherwise.
 */

export interface HealthConfig {
  /** `[]` inherit, `["NONE"]`, `["CMD", …]` or `["CMD-SHELL", command]`. */
  Test?: string[];
  Interval?: number;
  Timeout?: number;
  StartPeriod?: number;
  StartInterval?: number;
  Retries?: number;
  /** iSula: kill the container once it is unhealthy (`--health-exit-on-unhealthy`). */
  ExitOnUnhealthy?: boolean;
}

export interface ContainerConfig {
  Hostname: string;
  Domainname: string;
  User: string;
  AttachStdin: boolean;
  AttachStdout: boolean;
  AttachStderr: boolean;
  Tty: boolean;
  OpenStdin: boolean;
  StdinOnce: boolean;
  Env: string[];
  Cmd: string[] | null;
  Entrypoint: string[] | null;
  Healthcheck?: HealthConfig;
  Image: string;
  Volumes: Record<string, Record<string, never>> | null;
  WorkingDir: string;
  Labels: Record<string, string>;
  /** iSula: `--annotation`; `native.umask` and `log.console.*` among them. */
  Annotations: Record<string, string>;
  StopSignal: string;
  StopTimeout?: number;
  Shell?: string[];
  OnBuild?: string[] | null;
  ExposedPorts?: Record<string, Record<string, never>>;
  MacAddress?: string;
}

export type RestartPolicyName = 'no' | 'always' | 'on-failure' | 'unless-stopped' | 'on-reboot';

export interface RestartPolicy {
  Name: RestartPolicyName;
  MaximumRetryCount: number;
}

export interface DeviceMapping {
  PathOnHost: string;
  PathInContainer: string;
  /** Letters of `rwm`. */
  CgroupPermissions: string;
}

export interface DeviceRequest {
  Driver: string;
  Count: number;
  DeviceIDs: string[];
  Capabilities: string[][];
  Options: Record<string, string>;
}

export interface Ulimit {
  Name: string;
  Soft: number;
  Hard: number;
}

export interface WeightDevice {
  Path: string;
  Weight: number;
}

export interface ThrottleDevice {
  Path: string;
  /** Bytes or operations per second. */
  Rate: number;
}

export interface HugetlbLimit {
  /** `2MB`, `1GB`; empty: the host's default size. */
  PageSize: string;
  Limit: number;
}

export type MountType = 'bind' | 'volume' | 'tmpfs' | 'squashfs' | 'erofs' | 'image';

/** One `--mount` (moby: Mount). */
export interface MountRequest {
  Type: MountType;
  Source: string;
  Target: string;
  ReadOnly: boolean;
  Consistency?: string;
  BindOptions?: { Propagation?: string; NonRecursive?: boolean; CreateMountpoint?: boolean; Selinux?: 'z' | 'Z' };
  VolumeOptions?: {
    NoCopy?: boolean;
    Labels?: Record<string, string>;
    DriverConfig?: { Name: string; Options: Record<string, string> };
    Subpath?: string;
  };
  TmpfsOptions?: { SizeBytes?: number; Mode?: number };
}

export interface LogConfig {
  /** `json-file` (the guide's name; the file on disk is conmon's), `none`. */
  Type: string;
  /** `max-size`, `max-file`, `disable-log`, `labels`, `env`, `tag`. */
  Config: Record<string, string>;
}

export interface PortBinding {
  HostIp: string;
  HostPort: string;
}

export interface HostConfig {
  Binds: string[];
  ContainerIDFile: string;
  LogConfig: LogConfig;
  NetworkMode: string;
  PortBindings: Record<string, PortBinding[]>;
  RestartPolicy: RestartPolicy;
  AutoRemove: boolean;
  VolumeDriver: string;
  VolumesFrom: string[];
  CapAdd: string[];
  CapDrop: string[];
  CgroupnsMode: '' | 'private' | 'host';
  Dns: string[];
  DnsOptions: string[];
  DnsSearch: string[];
  ExtraHosts: string[];
  GroupAdd: string[];
  IpcMode: string;
  Cgroup: string;
  Links: string[];
  OomScoreAdj: number;
  PidMode: string;
  Privileged: boolean;
  PublishAllPorts: boolean;
  ReadonlyRootfs: boolean;
  SecurityOpt: string[];
  StorageOpt: Record<string, string>;
  Tmpfs: Record<string, string>;
  UTSMode: string;
  UsernsMode: string;
  ShmSize: number;
  Sysctls: Record<string, string>;
  Runtime: string;
  Isolation: string;
  /** Relative weight, 0: the kernel's default of 1024. */
  CpuShares: number;
  Memory: number;
  /** CPUs times 1e9. */
  NanoCpus: number;
  CgroupParent: string;
  BlkioWeight: number;
  BlkioWeightDevice: WeightDevice[];
  BlkioDeviceReadBps: ThrottleDevice[];
  BlkioDeviceWriteBps: ThrottleDevice[];
  BlkioDeviceReadIOps: ThrottleDevice[];
  BlkioDeviceWriteIOps: ThrottleDevice[];
  /** Microseconds, like CpuQuota and the two realtime values. */
  CpuPeriod: number;
  CpuQuota: number;
  CpuRealtimePeriod: number;
  CpuRealtimeRuntime: number;
  CpusetCpus: string;
  CpusetMems: string;
  Devices: DeviceMapping[];
  DeviceCgroupRules: string[];
  DeviceRequests: DeviceRequest[];
  KernelMemory: number;
  KernelMemoryTCP: number;
  MemoryReservation: number;
  /** Memory plus swap; -1: no limit on swap; 0: not set. */
  MemorySwap: number;
  /** 0..100; null or -1: the kernel's. */
  MemorySwappiness: number | null;
  OomKillDisable: boolean;
  Init: boolean;
  /** 0 or -1: unlimited. */
  PidsLimit: number;
  Ulimits: Ulimit[];
  Mounts: MountRequest[];
  MaskedPaths: string[] | null;
  ReadonlyPaths: string[] | null;
  Annotations: Record<string, string>;

  // --- iSula ---
  SystemContainer: boolean;
  NsChangeFiles: string[];
  NsChangeOpt: string;
  UserRemap: string;
  HookSpec: string;
  /** 0: not set, -1: unlimited (needs the files cgroup). */
  FilesLimit: number;
  Hugetlbs: HugetlbLimit[];
  HostChannel: { PathOnHost: string; PathInContainer: string; Permissions: string; Size: number } | null;
  EnvTargetFile: string;
  ExternalRootfs: string;
  /** `--pull`, kept nowhere: the client's wish. Paths of `--device-read…` etc. are above. */
  CDIDevices: string[];
}

/** The body of POST /containers/create, every field filled. */
export interface ContainerCreateRequest {
  name: string;
  platform: string;
  config: ContainerConfig;
  hostConfig: HostConfig;
  networkingConfig: NetworkingConfig;
}

export interface NetworkingConfig {
  EndpointsConfig: Record<
    string,
    { IPAMConfig?: { IPv4Address?: string; IPv6Address?: string }; Aliases?: string[]; Links?: string[]; MacAddress?: string }
  >;
}

/** What `isula update` may change; absent: leave as it is. */
export type ResourceUpdate = Partial<
  Pick<
    HostConfig,
    | 'CpuShares' | 'Memory' | 'NanoCpus' | 'BlkioWeight' | 'BlkioWeightDevice' | 'BlkioDeviceReadBps' | 'BlkioDeviceWriteBps'
    | 'BlkioDeviceReadIOps' | 'BlkioDeviceWriteIOps' | 'CpuPeriod' | 'CpuQuota' | 'CpuRealtimePeriod' | 'CpuRealtimeRuntime'
    | 'CpusetCpus' | 'CpusetMems' | 'KernelMemory' | 'MemoryReservation' | 'MemorySwap' | 'PidsLimit' | 'FilesLimit' | 'Hugetlbs'
    | 'RestartPolicy'
  >
>;
