import type { ContainerConfig, HostConfig } from './container.ts';

/** The guide's default size of /dev/shm. */
export const defaultShmBytes = 64 * 1024 * 1024;

export function defaultContainerConfig(): ContainerConfig {
  return {
    Hostname: '', Domainname: '', User: '', AttachStdin: false, AttachStdout: false, AttachStderr: false, Tty: false, OpenStdin: false,
    StdinOnce: false, Env: [], Cmd: null, Entrypoint: null, Image: '', Volumes: null, WorkingDir: '', Labels: {}, Annotations: {}, StopSignal: '',
  };
}

export function defaultHostConfig(): HostConfig {
  return {
    Binds: [], ContainerIDFile: '', LogConfig: { Type: '', Config: {} }, NetworkMode: '', PortBindings: {},
    RestartPolicy: { Name: 'no', MaximumRetryCount: 0 }, AutoRemove: false, VolumeDriver: '', VolumesFrom: [], CapAdd: [], CapDrop: [],
    CgroupnsMode: '', Dns: [], DnsOptions: [], DnsSearch: [], ExtraHosts: [], GroupAdd: [], IpcMode: '', Cgroup: '', Links: [], OomScoreAdj: 0,
    PidMode: '', Privileged: false, PublishAllPorts: false, ReadonlyRootfs: false, SecurityOpt: [], StorageOpt: {}, Tmpfs: {}, UTSMode: '',
    UsernsMode: '', ShmSize: 0, Sysctls: {}, Runtime: '', Isolation: '', CpuShares: 0, Memory: 0, NanoCpus: 0, CgroupParent: '', BlkioWeight: 0,
    BlkioWeightDevice: [], BlkioDeviceReadBps: [], BlkioDeviceWriteBps: [], BlkioDeviceReadIOps: [], BlkioDeviceWriteIOps: [], CpuPeriod: 0,
    CpuQuota: 0, CpuRealtimePeriod: 0, CpuRealtimeRuntime: 0, CpusetCpus: '', CpusetMems: '', Devices: [], DeviceCgroupRules: [],
    DeviceRequests: [], KernelMemory: 0, KernelMemoryTCP: 0, MemoryReservation: 0, MemorySwap: 0, MemorySwappiness: null, OomKillDisable: false,
    Init: false, PidsLimit: 0, Ulimits: [], Mounts: [], MaskedPaths: null, ReadonlyPaths: null, Annotations: {}, SystemContainer: false,
    NsChangeFiles: [], NsChangeOpt: '', UserRemap: '', HookSpec: '', FilesLimit: 0, Hugetlbs: [], HostChannel: null, EnvTargetFile: '',
    ExternalRootfs: '', CDIDevices: [],
  };
}
