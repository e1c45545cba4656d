import { expect, test } from 'bun:test';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isContainerId, type ContainerId } from '../base/index.ts';
import type { CgroupLayout } from '../linux/index.ts';
import { defaultContainerConfig, defaultHostConfig, type ContainerConfig, type HostConfig } from '../model/index.ts';
import { ociJson } from './oci-json.ts';
import { assembleSpec } from './spec.ts';
import { execProcess } from './spec-process.ts';
import type { CgroupFeature, HostFacts, ResolvedHost, SpecInput } from './types.ts';

const controllersV1 = ['cpu', 'cpuacct', 'cpuset', 'memory', 'devices', 'freezer', 'blkio', 'pids', 'hugetlb'];
const v1: CgroupLayout = {
  version: 1, hybrid: false, mounts: new Map(controllersV1.map((name) => [name, `/sys/fs/cgroup/${name}`])), controllers: new Set(controllersV1),
};
const v2: CgroupLayout = { version: 2, hybrid: false, mounts: new Map([['', '/sys/fs/cgroup']]),
  controllers: new Set(['cpu', 'cpuset', 'io', 'memory', 'pids', 'hugetlb']) };
const allCapabilities = new Set([
  'CHOWN', 'DAC_OVERRIDE', 'FSETID', 'FOWNER', 'MKNOD', 'NET_RAW', 'SETGID', 'SETUID', 'SETFCAP', 'SETPCAP', 'NET_BIND_SERVICE', 'SYS_CHROOT',
  'KILL', 'AUDIT_WRITE',
  'SYS_ADMIN', 'NET_ADMIN', 'SYS_TIME',
].map((name) => `CAP_${name}`));

function facts(changes: Partial<HostFacts> = {}): HostFacts {
  return {
    architecture: 'amd64', kernelRelease: '6.1.0-18-amd64', cgroup: v1, capabilities: allCapabilities,
    cgroupFeatures: new Set<CgroupFeature>(['swap', 'swappiness', 'oomKillDisable', 'blkioWeight', 'blkioWeightDevice', 'cpuRealtime']),
    hugepageSizes: ['2MB', '1GB'], rlimits: new Map([['RLIMIT_NOFILE', { soft: 1024, hard: 20000 }]]), seccompSupported: true, apparmorEnabled: false,
    selinuxEnabled: false, cpus: 2, memoryBytes: 8e9, ...changes,
  };
}

const factsV2 = facts({ cgroup: v2, cgroupFeatures: new Set<CgroupFeature>(['swap', 'blkioWeight']) });

const host: ResolvedHost = {
  devices: [{ path: '/dev/fuse', type: 'c', major: 10, minor: 229, fileMode: 0o666, uid: 0, gid: 0, access: 'rw' }],
  blockDevices: new Map([['/dev/vda', { major: 254, minor: 0 }]]),
  seccomp: { defaultAction: 'SCMP_ACT_ERRNO', defaultErrnoRet: 1, architectures: ['SCMP_ARCH_X86_64'],
    syscalls: [{ names: ['read'], action: 'SCMP_ACT_ALLOW' }] },
};
const bareHost: ResolvedHost = { devices: [], blockDevices: new Map(), seccomp: host.seccomp };

function someId(): ContainerId {
  const text = 'abcdef0123456789'.repeat(4);
  if (!isContainerId(text)) throw new Error('not an id');
  return text;
}

function input(hostConfig: Partial<HostConfig> = {}, config: Partial<ContainerConfig> = {}, rest: Partial<SpecInput> = {}): SpecInput {
  return {
    id: someId(), config: { ...defaultContainerConfig(), ...config }, hostConfig: { ...defaultHostConfig(), ...hostConfig }, imageConfig: undefined,
    rootfsPath: '/graph/merged', args: ['sh'], env: ['PATH=/bin'], cwd: '/', hostname: 'box', identity: { uid: 0, gid: 0, additionalGids: [] },
    umask: 0o027,
    cgroupPath: `/isulad/${someId()}`,
    namespaces: { network: { kind: 'private' }, ipc: { kind: 'private' }, pid: { kind: 'private' }, uts: { kind: 'private' },
      cgroup: { kind: 'host' } },
    mounts: [], etcFiles: { hosts: '/c/hosts', hostname: '/c/hostname', resolvConf: '/c/resolv.conf' }, shmPath: undefined, hooks: undefined,
    idMaps: undefined,
    initPath: undefined, ulimits: [], ...rest,
  };
}

/** Compares with a file; `UPDATE_GOLDEN=1 bun test` writes it. */
function golden(name: string, document: unknown): void {
  const path = join(import.meta.dir, 'testdata', `${name}.json`);
  const text = `${JSON.stringify(document, null, 2)}\n`;
  if (process.env.UPDATE_GOLDEN) writeFileSync(path, text);
  expect(text).toBe(readFileSync(path, 'utf8'));
}

const limits: Partial<HostConfig> = {
  Memory: 64 << 20, MemoryReservation: 32 << 20, MemorySwap: 96 << 20, MemorySwappiness: 10, OomKillDisable: true, CpuShares: 512, NanoCpus: 1.5e9,
  CpusetCpus: '0-1', CpusetMems: '0',
  PidsLimit: 100, BlkioWeight: 300, BlkioWeightDevice: [{ Path: '/dev/vda', Weight: 200 }], BlkioDeviceReadBps: [{ Path: '/dev/vda', Rate: 1048576 }],
  BlkioDeviceWriteIOps: [{ Path: '/dev/vda', Rate: 100 }], Hugetlbs: [{ PageSize: '2M', Limit: 32 << 20 }, { PageSize: '1GB', Limit: 1 << 30 }],
  DeviceCgroupRules: ['c 7:* rwm'], KernelMemory: 50 << 20,
};

test('an ordinary container, cgroup v1', () => {
  golden('ordinary-v1', assembleSpec(input(), bareHost, facts()));
});

test('limits on cgroup v1 and v2', () => {
  for (const [name, on] of [['limits-v1', facts()], ['limits-v2', factsV2]] as const) {
    const { spec, warnings } = assembleSpec(input(limits), host, on);
    golden(name, { resources: spec.linux.resources, devices: spec.linux.devices, warnings });
  }
});

test('a privileged container with the host\'s namespaces', () => {
  const { spec, warnings } = assembleSpec(input({ Privileged: true }, {}, {
    namespaces: { network: { kind: 'host' }, ipc: { kind: 'host' }, pid: { kind: 'host' }, uts: { kind: 'host' },
      cgroup: { kind: 'path', path: '/proc/9/ns/cgroup' } },
  }), { ...host, seccomp: undefined }, facts());
  golden('privileged', { spec, warnings });
});

test('mounts: the user\'s replace the standard ones, --init, shm of another container, propagation', () => {
  const { spec } = assembleSpec(input({ ReadonlyRootfs: true, ShmSize: 1 << 20 }, {}, {
    initPath: '/usr/bin/tini', shmPath: '/run/shm-of-other',
    mounts: [
      { type: 'tmpfs', source: '', target: '/run', readOnly: false, propagation: '', options: ['size=1m'] },
      { type: 'bind', source: '/data', target: '/data', readOnly: true, propagation: 'rslave', options: [] },
      { type: 'volume', source: '/vol', target: '/etc/hosts/', readOnly: false, propagation: '', options: ['nosuid'] },
      { type: 'bind', source: '/dev/mine', target: '/dev/shm', readOnly: false, propagation: '', options: ['bind'] },
    ],
  }), bareHost, facts());
  golden('mounts', { mounts: spec.mounts, args: spec.process.args, root: spec.root, propagation: spec.linux.rootfsPropagation });
});

test('what the daemon itself lacks is left out with a warning', () => {
  const { spec, warnings } = assembleSpec(input({ CapAdd: ['SYS_MODULE', 'cap_net_admin'], OomScoreAdj: -500 }, {}, {
    ulimits: [{ name: 'nofile', soft: 1024, hard: 65536 }, { name: 'core', soft: -1, hard: -1 }],
  }), bareHost, facts());
  expect(spec.process.capabilities?.bounding).toContain('CAP_NET_ADMIN');
  expect(spec.process.capabilities?.bounding).not.toContain('CAP_SYS_MODULE');
  expect(spec.process.oomScoreAdj).toBeUndefined();
  expect(spec.process.rlimits).toEqual([{ type: 'RLIMIT_NOFILE', soft: 1024, hard: 20000 }, { type: 'RLIMIT_CORE', soft: Infinity, hard: Infinity }]);
  expect(warnings).toHaveLength(3);
  expect(ociJson(spec)).toContain('{"type":"RLIMIT_CORE","soft":18446744073709551615,"hard":18446744073709551615}');
});

test('a user other than root has its capabilities in the bounding set only, exec --privileged has all', () => {
  const identity = { uid: 1000, gid: 1000, additionalGids: [5] };
  const { spec } = assembleSpec(input({}, {}, { identity }), bareHost, facts());
  expect(spec.process.capabilities?.effective).toEqual([]);
  expect(spec.process.user).toEqual({ uid: 1000, gid: 1000, umask: 0o027, additionalGids: [5] });
  const process = execProcess({
    config: defaultContainerConfig(), hostConfig: defaultHostConfig(), facts: facts(), identity: { uid: 0, gid: 0, additionalGids: [] },
    umask: 0o022, tty: true,
    privileged: true, args: ['sh'], env: [], cwd: '', consoleSize: { height: 24, width: 80 },
  });
  expect(process.capabilities?.effective).toContain('CAP_SYS_ADMIN');
  expect(process).toMatchObject({ terminal: true, cwd: '/', consoleSize: { height: 24, width: 80 } });
});

test('security options: no-new-privileges, system paths, labels where they exist', () => {
  const { spec } = assembleSpec(input({ SecurityOpt: ['no-new-privileges', 'systempaths=unconfined'] }), bareHost, facts());
  expect(spec.process.noNewPrivileges).toBe(true);
  expect(spec.linux.maskedPaths).toEqual([]);
  const labelled = assembleSpec(input({ SecurityOpt: ['label=type:spc_t', 'apparmor=mine'] }), bareHost,
    facts({ selinuxEnabled: true, apparmorEnabled: true })).spec;
  expect(labelled.process.selinuxLabel).toMatch(/^system_u:system_r:spc_t:s0:c\d+,c\d+$/);
  expect(labelled.linux.mountLabel).toMatch(/^system_u:object_r:container_file_t:s0:c/);
  expect(labelled.process.apparmorProfile).toBe('mine');
});

const refused: [name: string, changes: Partial<HostConfig>, on: HostFacts, message: string][] = [
  ['no files cgroup', { FilesLimit: 100 }, facts(), 'no files cgroup'],
  ['no real-time group scheduling', { CpuRealtimeRuntime: 1000 }, factsV2, 'does not support CPU real-time'],
  ['page size', { Hugetlbs: [{ PageSize: '3MB', Limit: 1 }] }, facts(), 'Invalid hugepage size 3MB: this host has 2MB, 1GB'],
  ['SELinux', { SecurityOpt: ['label=type:t'] }, facts(), 'SELinux is not enabled'],
  ['AppArmor', { SecurityOpt: ['apparmor=x'] }, facts(), 'AppArmor is not enabled'],
  ['security option', { SecurityOpt: ['what=ever'] }, facts(), 'invalid --security-opt: "what=ever"'],
  ['device rule', { DeviceCgroupRules: ['c 1:3'] }, facts(), "invalid device cgroup format 'c 1:3'"],
  ['capability', { CapAdd: ['NOSUCH'] }, facts(), 'unknown capability: "CAP_NOSUCH"'],
  ['oom score', { OomScoreAdj: 1001 }, facts(), 'range for oom score adj is [-1000, 1000]'],
  ['annotation of the runtime', { Annotations: { 'run.oci.seccomp_bpf_data': '' } }, facts(), 'belong to the runtime'],
];
for (const [name, changes, on, message] of refused) {
  test(`refused: ${name}`, () => {
    expect(() => assembleSpec(input(changes), bareHost, on)).toThrow(message);
  });
}

test('a user namespace of one\'s own has maps, a joined one its path', () => {
  const idMaps = { uid: [{ containerID: 0, hostID: 100000, size: 65536 }], gid: [{ containerID: 0, hostID: 200000, size: 65536 }] };
  const own = assembleSpec(input({}, {}, { idMaps }), bareHost, facts()).spec.linux;
  expect(own).toMatchObject({ uidMappings: idMaps.uid, gidMappings: idMaps.gid });
  expect(own.namespaces).toContainEqual({ type: 'user' });
  const joined = assembleSpec(input({}, {}, { idMaps, userNamespacePath: '/proc/7/ns/user' }), bareHost, facts()).spec.linux;
  expect(joined.namespaces).toContainEqual({ type: 'user', path: '/proc/7/ns/user' });
  expect(joined.uidMappings).toBeUndefined();
});

test('a mount on /etc comes before the files in it', () => {
  const mounts: SpecInput['mounts'] = [
    { type: 'volume', source: '/vol', target: '/etc', readOnly: false, propagation: '', options: [] },
    { type: 'bind', source: '/x', target: '/etc/ssl', readOnly: false, propagation: '', options: [] },
  ];
  const { spec } = assembleSpec(input({}, {}, { mounts }), bareHost, facts());
  const order = spec.mounts.map(({ destination }) => destination).filter((path) => path.startsWith('/etc'));
  expect(order).toEqual(['/etc', '/etc/resolv.conf', '/etc/hostname', '/etc/hosts', '/etc/ssl']);
});
