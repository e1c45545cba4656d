import { expect, test } from 'bun:test';
import { existsSync, readFileSync, readdirSync, rmdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { hasProjectQuota, readCgroupLayout } from '../src/linux/index.ts';
import { readHostFacts } from '../src/runtime/index.ts';
import { at, cgroupDirs, useDaemon, waitUntil } from './harness/index.ts';

/** Guide 1.3.3.8: the daemon's default ulimits are under the container's own. */
const defaults = { nofile: { Name: 'nofile', Soft: 500, Hard: 600 }, nproc: { Name: 'nproc', Soft: 2000, Hard: 3000 } };
const daemon = useDaemon({ config: { 'default-ulimits': defaults } });
const isV1 = readCgroupLayout().version === 1;
/** A disk of this host; throttling needs no access to it. */
const disk = readdirSync('/sys/block').filter((name) => existsSync(`/dev/${name}`) && !/^(?:loop|ram)/.test(name)).map((name) => `/dev/${name}`)[0];

function deviceNumber(path: string): string {
  return readFileSync(`/sys/block/${path.slice('/dev/'.length)}/dev`, 'utf8').trim();
}

/** The content of files in the container's cgroup, v1 paths. */
async function limits(options: readonly string[], files: readonly string[]): Promise<string[]> {
  const script = files.map((file) => `tr "\\n" " " < /sys/fs/cgroup/${file}; echo`).join('; ');
  return (await daemon.ok(['run', '--rm', ...options, 'busybox', 'sh', '-c', script])).split('\n').map((line) => line.trim());
}

test.if(isV1)('every limit stands in its cgroup file', async () => {
  const table: Record<string, [options: string[], value: string]> = {
    'cpu/cpu.cfs_period_us': [['--cpu-period', '50000'], '50000'],
    'cpu/cpu.cfs_quota_us': [['--cpu-quota', '20000'], '20000'],
    'cpu/cpu.shares': [['--cpu-shares', '512'], '512'],
    'cpuset/cpuset.cpus': [['--cpuset-cpus', '0'], '0'],
    'cpuset/cpuset.mems': [['--cpuset-mems', '0'], '0'],
    'memory/memory.limit_in_bytes': [['-m', '64m'], String(64 * 2 ** 20)],
    'memory/memory.soft_limit_in_bytes': [['--memory-reservation', '32MB'], String(32 * 2 ** 20)],
    'memory/memory.memsw.limit_in_bytes': [['--memory-swap', '96m'], String(96 * 2 ** 20)],
    'memory/memory.swappiness': [['--memory-swappiness', '30'], '30'],
    'memory/memory.oom_control': [['--oom-kill-disable'], 'oom_kill_disable 1 under_oom 0 oom_kill 0'],
    'pids/pids.max': [['--pids-limit', '55'], '55'],
    'hugetlb/hugetlb.2MB.limit_in_bytes': [['--hugetlb-limit', '2MB:32MB'], String(32 * 2 ** 20)],
  };
  if (disk !== undefined) {
    const number = deviceNumber(disk);
    Object.assign(table, {
      'blkio/blkio.throttle.read_bps_device': [['--device-read-bps', `${disk}:1mb`], `${number} ${2 ** 20}`],
      'blkio/blkio.throttle.write_bps_device': [['--device-write-bps', `${disk}:2mb`], `${number} ${2 ** 21}`],
      'blkio/blkio.throttle.read_iops_device': [['--device-read-iops', `${disk}:100`], `${number} 100`],
      'blkio/blkio.throttle.write_iops_device': [['--device-write-iops', `${disk}:200`], `${number} 200`],
    });
  }
  const files = Object.keys(table);
  const seen = await limits(Object.values(table).flatMap(([options]) => options), files);
  expect(Object.fromEntries(files.map((file, index) => [file, seen[index]]))).toEqual(
    Object.fromEntries(Object.entries(table).map(([file, [, value]]) => [file, value])));
});

test.if(isV1 && readHostFacts().cgroupFeatures.has('blkioWeight'))('the weight of block I/O, whatever this kernel calls its file', async () => {
  const weight = 'cd /sys/fs/cgroup/blkio; cat blkio.bfq.weight blkio.weight 2>/dev/null | head -1';
  expect(await daemon.ok(['run', '--rm', '--blkio-weight', '300', 'busybox', 'sh', '-c', weight])).toBe('300');
});

test.if(isV1)('no limits: 0, -1, and what follows from another', async () => {
  const files = ['cpu/cpu.cfs_quota_us', 'pids/pids.max', 'memory/memory.limit_in_bytes', 'memory/memory.memsw.limit_in_bytes'];
  const unlimited = '9223372036854771712';
  const table: [options: string[], values: string[]][] = [
    [['--cpu-quota', '-1', '--pids-limit', '-1', '-m', '0', '--cpu-shares', '0', '--files-limit', '-1'], ['-1', 'max', unlimited, unlimited]],
    [['--pids-limit', '0', '-m', '8m', '--memory-swap', '-1', '--memory-swappiness', '-1'], ['-1', 'max', String(8 * 2 ** 20), unlimited]],
    // Docker's rules: as much swap as memory, and --cpus is a quota.
    [['-m', '8m', '--cpus', '0.5'], ['50000', 'max', String(8 * 2 ** 20), String(16 * 2 ** 20)]],
    [['-m', '8m', '--memory-swap', '8m'], ['-1', 'max', String(8 * 2 ** 20), String(8 * 2 ** 20)]],
  ];
  for (const [options, values] of table) expect([options, await limits(options, files)]).toEqual([options, values]);
});

test('the limits are felt: memory kills, pids refuse, /dev/shm is full', async () => {
  await daemon.ok(['create', '--name', 'hog', '-m', '16m', '--memory-swap', '16m', 'busybox', 'sh', '-c', 'tail /dev/zero']);
  expect((await daemon.isula(['start', '-a', 'hog'])).code).toBe(137);
  await waitUntil('the out-of-memory kill to be told', async () => (await daemon.ok(['inspect', '-f', '{{.State.OOMKilled}}', 'hog'])) === 'true');
  await daemon.ok(['rm', 'hog']);
  const forks = 'i=0; while [ $i -lt 20 ]; do sleep 5 & i=$((i+1)); done 2>&1; echo over';
  expect((await daemon.isula(['run', '--rm', '--pids-limit', '8', 'busybox', 'sh', '-c', forks])).stdout).toMatch(/can't fork|Resource temporarily/);
  const shm = 'df -k /dev/shm | tail -1; dd if=/dev/zero of=/dev/shm/x bs=1M count=20 2>&1';
  const { stdout } = await daemon.isula(['run', '--rm', '--shm-size', '10m', 'busybox', 'sh', '-c', shm]);
  expect(stdout).toMatch(/ 10240 /);
  expect(stdout).toContain('No space left');
});

test('ulimits: the container\'s over the daemon\'s', async () => {
  const shown = 'for f in n u c l s; do printf "%s " $(ulimit -S$f) $(ulimit -H$f); done; cat /proc/self/oom_score_adj';
  const run = (...options: string[]) => daemon.ok(['run', '--rm', ...options, 'busybox', 'sh', '-c', shown]);
  expect((await run()).split(' ').slice(0, 4)).toEqual(['500', '600', '2000', '3000']);
  const own = await run('--ulimit', 'nofile=100:200', '--ulimit', 'core=0', '--ulimit', 'stack=1048576', '--oom-score-adj', '500');
  expect(own.split(' ')).toEqual(['100', '200', '2000', '3000', '0', '0', expect.any(String), expect.any(String), '1024', '1024', '500']);
  // The last one of a type counts; soft alone is both.
  expect((await run('--ulimit', 'nofile=9', '--ulimit', 'nofile=77')).split(' ').slice(0, 2)).toEqual(['77', '77']);
});

test('what this host cannot do is refused in words', async () => {
  // A new parent cgroup grants no real-time CPU time.
  const refused: [options: string[], message: string][] = [[['--cpu-rt-runtime', '1000'], 'real-time']];
  if (!hasProjectQuota(daemon.graph)) {
    refused.push([['--storage-opt', 'size=10M'], '--storage-opt is supported only for overlay over xfs or ext4 with \'pquota\' mount option']);
  }
  if (!readCgroupLayout().controllers.has('files')) refused.push([['--files-limit', '100'], 'the files cgroup is not available']);
  for (const [options, message] of refused) {
    const { code, stderr } = await daemon.isula(['run', '--rm', ...options, 'busybox', 'true']);
    expect([options, code, stderr]).toEqual([options, 125, expect.stringContaining(message)]);
  }
  expect(await daemon.ok(['ps', '-aq'])).toBe('');
});

test.if(isV1)('--cgroup-parent and --cgroupns', async () => {
  const parent = `/${daemon.cgroup}/own`;
  const seen = await daemon.ok(['run', '-d', '--name', 'placed', '--cgroup-parent', parent, 'busybox', 'sleep', '1000']);
  expect(statSync(join('/sys/fs/cgroup/memory', parent, seen)).isDirectory()).toBe(true);
  await daemon.ok(['rm', '-f', 'placed']);
  // The parent is the user's: it stays.
  for (const path of cgroupDirs(`${daemon.cgroup}/own`)) rmdirSync(path);
  const path = (...options: string[]) => daemon.ok(['run', '--rm', ...options, 'busybox', 'grep', ':memory:', '/proc/self/cgroup']);
  expect(await path('--cgroupns', 'private')).toMatch(/:memory:\/$/);
  expect(await path('--cgroupns', 'host')).toContain(`:memory:/${daemon.cgroup}/`);
});

test('stats are the numbers of the cgroup files', async () => {
  const id = await daemon.ok(['run', '-d', '--name', 'counted', '-m', '64m', 'busybox', 'sh', '-c',
    'dd if=/dev/zero of=/dev/shm/x bs=1M count=20; sleep 1000 & wait']);
  await waitUntil('both processes', async () => (await daemon.ok(['top', 'counted'])).split('\n').length === 3);
  const stats = (await daemon.http('GET', `/containers/${id}/stats?stream=0&one-shot=1`)).json();
  expect(at(stats, 'pids_stats', 'current')).toBe(2);
  expect(at(stats, 'memory_stats', 'limit')).toBe(64 * 2 ** 20);
  if (isV1) {
    const usage = Number(readFileSync(`/sys/fs/cgroup/memory/${daemon.cgroup}/${id}/memory.usage_in_bytes`, 'utf8'));
    expect(Math.abs(Number(at(stats, 'memory_stats', 'usage')) - usage)).toBeLessThan(2 ** 20);
    const cpu = Number(readFileSync(`/sys/fs/cgroup/cpuacct/${daemon.cgroup}/${id}/cpuacct.usage`, 'utf8'));
    expect(Number(at(stats, 'cpu_stats', 'cpu_usage', 'total_usage'))).toBeLessThanOrEqual(cpu);
    expect(Number(at(stats, 'cpu_stats', 'cpu_usage', 'total_usage'))).toBeGreaterThan(0);
  }
  const shown = await daemon.ok(['stats', '--no-stream', '--format', '{{.Name}} {{.MemUsage}} {{.PIDs}}', 'counted']);
  expect(shown).toMatch(/^counted 2\d(\.\d+)?MiB \/ 64MiB 2$/);
  await daemon.ok(['rm', '-f', 'counted']);
});
