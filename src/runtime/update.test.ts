import { afterAll, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { defaultHostConfig } from '../model/index.ts';
import type { CgroupFeature, HostFacts } from './types.ts';
import { splitOwnLimits } from './own-limits.ts';
import { cpuWeightOfShares, updateResources } from './update.ts';

const top = mkdtempSync('/tmp/isula-update-');
afterAll(() => rmSync(top, { recursive: true, force: true }));

function tree(name: string, files: Record<string, string>): (file: string) => string {
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(top, name, file)), { recursive: true });
    writeFileSync(join(top, name, file), text);
  }
  return (file) => readFileSync(join(top, name, file), 'utf8');
}

function facts(name: string, version: 1 | 2, controllers: string[]): HostFacts {
  const mounts = version === 2 ? new Map([['', join(top, name)]]) : new Map(controllers.map((each) => [each, join(top, name, each)]));
  return {
    architecture: 'amd64', kernelRelease: '6.1', cgroup: { version, hybrid: false, mounts, controllers: new Set(controllers) },
    capabilities: new Set(),
    cgroupFeatures: new Set<CgroupFeature>(['swap', 'blkioWeight']), hugepageSizes: ['2MB'], rlimits: new Map(), seccompSupported: true,
    apparmorEnabled: false,
    selinuxEnabled: false, cpus: 2, memoryBytes: 8e9,
  };
}

/** Files of this test are ordinary: a write does not truncate them, so values of one length are used or a longer one is written. */
test('v2: weights, quotas and limits in the words of cgroup v2', () => {
  const read = tree('v2', {
    'c/cpu.weight': '1', 'c/cpu.max': 'max 100000', 'c/memory.max': 'max', 'c/memory.current': '1000', 'c/memory.low': '0',
    'c/memory.swap.max': '0', 'c/pids.max': '1',
    'c/pids.current': '1', 'c/io.weight': 'default 1', 'c/io.max': '', 'c/cpuset.cpus': '',
  });
  updateResources(facts('v2', 2, ['cpu', 'memory', 'pids', 'io', 'cpuset']), '/c', {
    ...defaultHostConfig(), CpuShares: 1024, NanoCpus: 5e8, Memory: 67108864, MemorySwap: 100663296, MemoryReservation: 33554432, PidsLimit: 77,
    BlkioWeight: 500, CpusetCpus: '0-1',
  });
  expect([read('c/cpu.weight'), read('c/cpu.max'), read('c/memory.max'), read('c/memory.swap.max'), read('c/memory.low'), read('c/pids.max')])
    .toEqual(['39', '50000 100000', '67108864', '33554432', '33554432', '77']);
  expect(read('c/io.weight')).toBe('default 4950');
  expect(read('c/cpuset.cpus')).toBe('0-1');
});

test('v2: a memory limit below the usage is refused, because the kernel would kill', () => {
  tree('v2low', { 'c/memory.max': 'max', 'c/memory.current': '99999999', 'c/memory.swap.max': 'max', 'c/pids.max': 'max', 'c/pids.current': '1' });
  expect(() => updateResources(facts('v2low', 2, ['memory', 'pids']), '/c',
    { ...defaultHostConfig(), Memory: 1000 })).toThrow('the container uses 99999999 now');
});

test('v1: a refused write puts the earlier ones back', () => {
  const read = tree('v1', { 'cpu/c/cpu.shares': '1024', 'pids/c/pids.max': 'max', 'pids/c/pids.current': '1' });
  const on = facts('v1', 1, ['cpu', 'pids', 'cpuset']);
  expect(() => updateResources(on, '/c',
    { ...defaultHostConfig(), CpuShares: 2048, CpusetMems: '0' })).toThrow("Cannot set --cpuset-mems: this host's kernel has no cpuset.mems");
  expect(read('cpu/c/cpu.shares')).toBe('1024');
});

test('shares become weights at both ends', () => {
  expect([2, 1024, 262144, 0, 999999].map(cpuWeightOfShares)).toEqual([1, 39, 10000, 1, 10000]);
});

test('limits that the runtimes cannot set are taken out of their specification, and set by us', () => {
  const read = tree('own',
    { 'blkio/c/blkio.bfq.weight': '100', 'blkio/c/blkio.bfq.weight_device': '', 'files/c/files.limit': 'max', 'files/c/cgroup.procs': '' });
  const layout = facts('own', 1, ['blkio', 'files']).cgroup;
  const blockIO = { weight: 300, weightDevice: [{ major: 8, minor: 0, weight: 200 }], throttleReadBpsDevice: [] };
  const spec = {
    ociVersion: '1.0.2', process: { terminal: false, user: { uid: 0, gid: 0 }, args: [], env: [], cwd: '/' }, root: { path: '/', readonly: false },
    mounts: [],
    linux: { resources: { blockIO, files: { limit: 100 }, pids: { limit: 5 } } },
  };
  const own = splitOwnLimits(spec, layout);
  expect(own.spec.linux.resources).toEqual({ blockIO: { throttleReadBpsDevice: [] }, pids: { limit: 5 } });
  own.apply('/c', 4242);
  expect([read('blkio/c/blkio.bfq.weight'), read('blkio/c/blkio.bfq.weight_device')]).toEqual(['300', '8:0 200']);
  expect([read('files/c/files.limit'), read('files/c/cgroup.procs')]).toEqual(['100', '4242']);
});
