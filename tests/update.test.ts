import { expect, test } from 'bun:test';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readCgroupLayout } from '../src/linux/index.ts';
import { at, useDaemon, waitUntil } from './harness/index.ts';

const daemon = useDaemon();
const isV1 = readCgroupLayout().version === 1;
const disk = readdirSync('/sys/block').filter((name) => existsSync(`/dev/${name}`) && !/^(?:loop|ram)/.test(name))[0];
const mib = 2 ** 20;

function valueIn(id: string, file: string): string {
  const [controller = '', name = ''] = file.split('/');
  return readFileSync(join('/sys/fs/cgroup', controller, daemon.cgroup, id, name), 'utf8').trim();
}

/** Options of update, the file that shows each, and the value there; the HostConfig field and its value. */
const changes: [option: string, value: string, file: string, content: string, field: string, kept: number | string][] = [
  ['--cpu-shares', '300', 'cpu/cpu.shares', '300', 'CpuShares', 300],
  ['--cpu-period', '50000', 'cpu/cpu.cfs_period_us', '50000', 'CpuPeriod', 50000],
  ['--cpu-quota', '25000', 'cpu/cpu.cfs_quota_us', '25000', 'CpuQuota', 25000],
  ['--cpuset-cpus', '0', 'cpuset/cpuset.cpus', '0', 'CpusetCpus', '0'],
  ['--cpuset-mems', '0', 'cpuset/cpuset.mems', '0', 'CpusetMems', '0'],
  ['--memory', '80m', 'memory/memory.limit_in_bytes', String(80 * mib), 'Memory', 80 * mib],
  ['--memory-swap', '160m', 'memory/memory.memsw.limit_in_bytes', String(160 * mib), 'MemorySwap', 160 * mib],
  ['--memory-reservation', '20m', 'memory/memory.soft_limit_in_bytes', String(20 * mib), 'MemoryReservation', 20 * mib],
  ['--pids-limit', '99', 'pids/pids.max', '99', 'PidsLimit', 99],
];

test.if(isV1)('update changes a running container and lasts: a restart, a daemon\'s death, both', async () => {
  const id = await daemon.ok(['run', '-d', '--name', 'live', '-m', '40m', '--memory-swap', '50m', 'busybox', 'sleep', '1000']);
  const files = () => changes.map(([, , file]) => valueIn(id, file));
  const wanted = changes.map(([, , , content]) => content);
  const more = disk === undefined ? [] : ['--device-read-bps', `/dev/${disk}:3mb`];
  const { code, stdout, stderr } = await daemon.isula(
    ['update', ...changes.flatMap(([option, value]) => [option, value]), ...more, '--hugetlb-limit', '2MB:64MB', '--kernel-memory', '50m',
      '--restart', 'on-failure:3', 'live']);
  expect([code, stdout, stderr]).toEqual([0, 'live\n', expect.stringContaining('WARNING: Specifying a kernel memory limit')]);
  const others = ['hugetlb/hugetlb.2MB.limit_in_bytes', ...(disk === undefined ? [] : ['blkio/blkio.throttle.read_bps_device'])];
  const all = () => [...files(), ...others.map((file) => valueIn(id, file))];
  const rest = [String(64 * mib), ...(disk === undefined ? [] : [`${readFileSync(`/sys/block/${disk}/dev`, 'utf8').trim()} ${3 * mib}`])];
  expect(all()).toEqual([...wanted, ...rest]);
  const host = at(JSON.parse(await daemon.ok(['inspect', 'live'])), 0, 'HostConfig');
  expect(changes.map(([, , , , field]) => at(host, field))).toEqual(changes.map(([, , , , , kept]) => kept));
  expect(at(host, 'RestartPolicy')).toEqual({ Name: 'on-failure', MaximumRetryCount: 3 });
  await daemon.ok(['restart', '-t', '0', 'live']);
  expect(all()).toEqual([...wanted, ...rest]);
  await daemon.kill();
  await daemon.start();
  expect(all()).toEqual([...wanted, ...rest]);
  await daemon.ok(['restart', '-t', '0', 'live']);
  expect(all()).toEqual([...wanted, ...rest]);
  // What is not named stays; -1 lifts.
  await daemon.ok(['update', '--pids-limit', '-1', '--cpu-quota', '-1', '--memory-swap', '-1', 'live']);
  expect(['pids/pids.max', 'cpu/cpu.cfs_quota_us', 'memory/memory.memsw.limit_in_bytes', 'cpu/cpu.shares'].map((file) => valueIn(id, file)))
    .toEqual(['max', '-1', '9223372036854771712', '300']);
  await daemon.ok(['restart', '-t', '0', 'live']);
  expect(['pids/pids.max', 'cpu/cpu.cfs_quota_us'].map((file) => valueIn(id, file))).toEqual(['max', '-1']);
  await daemon.ok(['rm', '-f', 'live']);
});

test.if(isV1)('a limit below what is in use is refused and changes nothing', async () => {
  const id = await daemon.ok(['run', '-d', '--name', 'full', '-m', '100m', '--memory-swap', '100m', 'busybox', 'sh', '-c',
    'dd if=/dev/zero of=/dev/shm/x bs=1M count=40; echo ready; sleep 1000']);
  await waitUntil('the memory to be used', async () => (await daemon.ok(['logs', 'full'])).includes('ready'));
  const limits = () => ['cpu/cpu.shares', 'memory/memory.limit_in_bytes', 'memory/memory.memsw.limit_in_bytes'].map((file) => valueIn(id, file));
  const before = limits();
  const { code, stderr } = await daemon.isula(['update', '--cpu-shares', '77', '-m', '8m', '--memory-swap', '8m', 'full']);
  expect([code, stderr]).toEqual([1, expect.stringMatching(/memory.*(busy|in use|usage)/i)]);
  expect(limits()).toEqual(before);
  expect(await daemon.ok(['inspect', '-f', '{{.HostConfig.CpuShares}} {{.HostConfig.Memory}}', 'full'])).toBe(`0 ${100 * mib}`);
  // With the swap limit left as it is a smaller memory limit alone is right, a larger one is not.
  expect((await daemon.isula(['update', '-m', '200m', 'full'])).stderr).toContain('update the memoryswap at the same time');
  await daemon.ok(['update', '-m', '60m', 'full']);
  expect(valueIn(id, 'memory/memory.limit_in_bytes')).toBe(String(60 * mib));
  await daemon.ok(['rm', '-f', 'full']);
});

test('a stopped container has its new limits at the next start; the API takes docker\'s body', async () => {
  await daemon.ok(['create', '--name', 'later', 'busybox', 'cat', isV1 ? '/sys/fs/cgroup/pids/pids.max' : '/sys/fs/cgroup/pids.max']);
  const answer = await daemon.http('POST', '/containers/later/update', { json: { PidsLimit: 44, RestartPolicy: { Name: 'no' } } });
  expect([answer.status, answer.json()]).toEqual([200, { Warnings: [] }]);
  expect(await daemon.ok(['start', '-a', 'later'])).toBe('44');
  const events = await daemon.ok(['events', '--since', '0', '--until', String(Math.ceil(Date.now() / 1000) + 1), '--filter', 'container=later',
    '--filter', 'event=update']);
  expect(events.split('\n')).toHaveLength(1);
  expect((await daemon.http('POST', '/containers/later/update', { json: { Memory: 'x' } })).status).toBe(400);
  expect((await daemon.http('POST', '/containers/nosuch/update', { json: { Memory: 8e6 } })).status).toBe(404);
  await daemon.ok(['rm', 'later']);
});

test('update of the restart policy: from never to always and back; not with --rm', async () => {
  await daemon.ok(['run', '-d', '--name', 'policy', 'busybox', 'sleep', '1000']);
  const pid = () => daemon.ok(['inspect', '-f', '{{.State.Pid}}', 'policy']);
  await daemon.ok(['update', '--restart', 'always', 'policy']);
  const first = await pid();
  process.kill(Number(first), 'SIGKILL');
  await waitUntil('the policy to start it again', async () => !['0', first].includes(await pid()));
  await daemon.ok(['update', '--restart', 'no', 'policy']);
  process.kill(Number(await pid()), 'SIGKILL');
  await daemon.ok(['wait', 'policy']);
  expect(await daemon.ok(['inspect', '-f', '{{.State.Status}}', 'policy'])).toBe('exited');
  await daemon.ok(['run', '-d', '--rm', '--name', 'brief', 'busybox', 'sleep', '1000']);
  expect((await daemon.isula(['update', '--restart', 'always', 'brief'])).stderr).toContain('AutoRemove is enabled');
  await daemon.ok(['rm', '-f', 'policy', 'brief']);
});
