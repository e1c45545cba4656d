import { afterAll, expect, test } from 'bun:test';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  applyCgroupWrites, cgroupDirs, isCgroupFrozen, parseCgroupLayout, readCgroupPids, readCgroupStats, readOomKills, removeCgroup, type CgroupLayout,
} from './index.ts';

const top = mkdtempSync('/tmp/isula-cgroup-');
afterAll(() => rmSync(top, { recursive: true, force: true }));

function tree(name: string, files: Record<string, string>): string {
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(top, name, file)), { recursive: true });
    writeFileSync(join(top, name, file), text);
  }
  return join(top, name);
}

const hybridMounts = `31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,release_agent=/lib/x,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
`;

test('layouts: hybrid, v1 and v2', () => {
  const hybrid = parseCgroupLayout(hybridMounts, () => 'hugetlb');
  expect(hybrid).toMatchObject({ version: 1, hybrid: true });
  expect([...hybrid.controllers]).toEqual(['cpu', 'cpuacct', 'memory']);
  expect(hybrid.mounts.get('cpuacct')).toBe('/sys/fs/cgroup/cpu,cpuacct');
  expect(cgroupDirs(hybrid, '/isulad/x')).toEqual(['cpu,cpuacct', 'memory', 'systemd', 'unified'].map((name) => `/sys/fs/cgroup/${name}/isulad/x`));
  const legacy = parseCgroupLayout(hybridMounts.replace(/^41.*\n/m, ''), () => '');
  expect(legacy).toMatchObject({ version: 1, hybrid: false });
  const unified = parseCgroupLayout('30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n',
    () => 'cpuset cpu io memory pids\n');
  expect(unified).toMatchObject({ version: 2, hybrid: false });
  expect(unified.controllers.has('io')).toBe(true);
});

const v1Controllers = ['cpu', 'cpuacct', 'memory', 'pids', 'blkio', 'freezer'];

function v1(name: string): CgroupLayout {
  return { version: 1, hybrid: false, mounts: new Map(v1Controllers.map((each) => [each, join(top, name, each)])),
    controllers: new Set(v1Controllers) };
}

function v2(name: string): CgroupLayout {
  return { version: 2, hybrid: false, mounts: new Map([['', join(top, name)]]), controllers: new Set(['cpu', 'memory', 'pids', 'io']) };
}

test('v1 numbers', () => {
  tree('one', {
    'cpuacct/c/cpuacct.usage': '123456789\n', 'cpuacct/c/cpuacct.stat': 'user 20\nsystem 30\n',
    'cpu/c/cpu.stat': 'nr_periods 5\nnr_throttled 2\nthrottled_time 777\n',
    'memory/c/memory.usage_in_bytes': '4096\n', 'memory/c/memory.max_usage_in_bytes': '8192\n',
    'memory/c/memory.limit_in_bytes': '9223372036854771712\n',
    'memory/c/memory.failcnt': '3\n', 'memory/c/memory.stat': 'cache 100\nrss 200\n',
    'memory/c/memory.oom_control': 'oom_kill_disable 0\nunder_oom 0\noom_kill 2\n',
    'pids/c/pids.current': '7\n', 'pids/c/pids.max': 'max\n', 'blkio/c/blkio.bfq.io_service_bytes_recursive': 'Total 0\n',
    'blkio/c/blkio.throttle.io_service_bytes_recursive': '254:0 Read 1024\n254:0 Write 2048\n254:0 Total 3072\nTotal 3072\n',
    'freezer/c/freezer.state': 'FROZEN\n',
  });
  const stats = readCgroupStats(v1('one'), '/c', 1_000_000);
  expect(stats).toMatchObject({
    cpuTotal: 123456789, cpuUser: 200_000_000, cpuKernel: 300_000_000, throttlingPeriods: 5, throttledPeriods: 2, throttledTime: 777,
    memoryUsage: 4096, memoryMaxUsage: 8192,
    memoryLimit: 1_000_000, memoryFailcnt: 3, memoryStat: { cache: 100, rss: 200 }, pidsCurrent: 7, pidsLimit: 0,
  });
  expect(stats.blkio).toEqual([['read', 1024], ['write', 2048],
    ['total', 3072]].map(([op, value]) => ({ major: 254, minor: 0, op: String(op), value: Number(value) })));
  expect(readOomKills(v1('one'), '/c')).toBe(2);
  expect(isCgroupFrozen(v1('one'), '/c')).toBe(true);
});

test('v2 numbers', () => {
  tree('two', {
    'c/cpu.stat': 'usage_usec 1000\nuser_usec 600\nsystem_usec 400\nnr_periods 1\nnr_throttled 1\nthrottled_usec 9\n', 'c/memory.current': '4096\n',
    'c/memory.peak': '5000\n',
    'c/memory.max': 'max\n', 'c/memory.events': 'low 0\nhigh 0\nmax 4\noom 1\noom_kill 1\n', 'c/memory.stat': 'anon 1\nfile 2\n',
    'c/pids.current': '2\n', 'c/pids.max': '50\n',
    'c/io.stat': '254:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n253:1 \n', 'c/cgroup.events': 'populated 1\nfrozen 1\n',
  });
  expect(readCgroupStats(v2('two'), '/c', 777)).toMatchObject({
    cpuTotal: 1_000_000, cpuUser: 600_000, cpuKernel: 400_000, throttledTime: 9000, memoryUsage: 4096, memoryMaxUsage: 5000, memoryLimit: 777,
    memoryFailcnt: 4, pidsLimit: 50,
    blkio: [{ major: 254, minor: 0, op: 'read', value: 10 }, { major: 254, minor: 0, op: 'write', value: 20 },
      { major: 254, minor: 0, op: 'discard', value: 0 }],
  });
  expect(readOomKills(v2('two'), '/c')).toBe(1);
  expect(isCgroupFrozen(v2('two'), '/c')).toBe(true);
});

test('a cgroup that is gone has zeros and no processes', async () => {
  expect(readCgroupStats(v2('two'), '/gone', 5)).toMatchObject({ cpuTotal: 0, memoryUsage: 0, memoryLimit: 0, blkio: [] });
  expect(readCgroupPids(v1('one'), '/gone')).toEqual([]);
  expect(isCgroupFrozen(v1('one'), '/gone')).toBe(false);
  await removeCgroup(v1('one'), '/gone');
});

test('pids of nested cgroups are found, and empty cgroups removed from the leaves up', async () => {
  tree('three', { 'c/cgroup.procs': '5\n6\n', 'c/a/b/cgroup.procs': '7\n6\n' });
  expect(readCgroupPids(v2('three'), '/c').sort()).toEqual([5, 6, 7]);
  mkdirSync(join(top, 'four/c/x/y'), { recursive: true });
  await removeCgroup(v2('four'), '/c');
  expect(existsSync(join(top, 'four/c'))).toBe(false);
});

test('writes: all or none', () => {
  const dir = tree('five', { 'a': 'old-a', 'b': 'old-b' });
  expect(() => applyCgroupWrites([
    { path: join(dir, 'a'), value: 'new-a', what: '--a' }, { path: join(dir, 'b'), value: 'new-b', what: '--b' },
    { path: join(dir, 'missing'), value: '1', what: '--c' },
  ])).toThrow("Cannot set --c: this host's kernel has no missing");
  expect([readFileSync(join(dir, 'a'), 'utf8'), readFileSync(join(dir, 'b'), 'utf8')]).toEqual(['old-a', 'old-b']);
});
