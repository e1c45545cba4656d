import { expect, test } from 'bun:test';
import type { CgroupStats, HostFacts } from '../runtime/index.ts';
import { parseHostCpu, parseNetDev, statsDocument, streamStats, type StatsTarget } from './stats.ts';

const cgroup: CgroupStats = {
  cpuTotal: 5e9, cpuKernel: 2e9, cpuUser: 3e9, throttlingPeriods: 4, throttledPeriods: 1, throttledTime: 9, memoryUsage: 1000, memoryMaxUsage: 2000,
  memoryLimit: 9223372036854771712, memoryFailcnt: 3, memoryStat: { total_inactive_file: 100 }, pidsCurrent: 2, pidsLimit: 0,
  blkio: [{ major: 8, minor: 0, op: 'Read', value: 512 }],
};

function facts(version: 1 | 2): Pick<HostFacts, 'cgroup' | 'memoryBytes'> {
  return { cgroup: { version, hybrid: false, mounts: new Map(), controllers: new Set() }, memoryBytes: 4096 };
}

test('/proc/stat and /proc/net/dev', () => {
  expect(parseHostCpu('cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 1 1 1\ncpu1 1 1 1\nintr 5\n')).toEqual({ totalNanos: 28e7, online: 2 });
  const dev = 'Inter-|   Receive\n face |bytes\n    lo: 9 9 9 9 0 0 0 0 9 9 0 0 0 0 0 0\n  eth0:100 2 3 4 0 0 0 0 200 6 7 8 0 0 0 0\n';
  expect(parseNetDev(dev)).toEqual({
    eth0: { rx_bytes: 100, rx_packets: 2, rx_errors: 3, rx_dropped: 4, tx_bytes: 200, tx_packets: 6, tx_errors: 7, tx_dropped: 8 },
  });
});

test('the document of docker, cgroup v1 and v2', () => {
  const sample = { readAt: 1_700_000_000_000, cgroup, host: { totalNanos: 1e12, online: 2 }, networks: undefined };
  const document = statsDocument({ id: 'x', name: 'web' }, sample, undefined, facts(1));
  expect(document).toMatchObject({
    id: 'x', name: '/web', read: '2023-11-14T22:13:20.000000000Z', preread: '0001-01-01T00:00:00Z', pids_stats: { current: 2 },
    cpu_stats: { cpu_usage: { total_usage: 5e9 }, system_cpu_usage: 1e12, online_cpus: 2, throttling_data: { throttled_periods: 1 } },
    memory_stats: { usage: 1000, max_usage: 2000, failcnt: 3, limit: 4096, stats: { total_inactive_file: 100 } },
    blkio_stats: { io_service_bytes_recursive: [{ major: 8, minor: 0, op: 'Read', value: 512 }] },
  });
  expect(Object.hasOwn(document, 'networks')).toBe(false);
  const second = statsDocument({ id: 'x', name: 'web' }, sample, sample, facts(2));
  expect(second['memory_stats']).toEqual({ usage: 1000, limit: 4096, stats: { total_inactive_file: 100 } });
  expect(second['precpu_stats']).toEqual(second['cpu_stats']);
  expect(statsDocument({ id: 'x', name: 'web' }, undefined, undefined, facts(1)))
    .toMatchObject({ read: '0001-01-01T00:00:00Z', memory_stats: {}, pids_stats: {} });
});

function target(running: () => boolean | undefined): StatsTarget {
  return {
    facts: facts(1),
    look: () => {
      const now = running();
      return now === undefined ? undefined : { id: 'x', name: 'web', running: now ? { cgroup, pid: process.pid, ownNetwork: true } : undefined };
    },
  };
}

async function take(iterable: AsyncIterable<Record<string, unknown>>): Promise<Record<string, unknown>[]> {
  const documents: Record<string, unknown>[] = [];
  for await (const document of iterable) documents.push(document);
  return documents;
}

test('one document: with two samples, at once when one-shot or not running', async () => {
  const signal = new AbortController().signal;
  const [two, ...rest] = await take(streamStats(target(() => true), { stream: false, oneShot: false }, signal, 1));
  expect(rest.length).toBe(0);
  expect(two?.['preread']).not.toBe('0001-01-01T00:00:00Z');
  expect(two?.['networks']).toBeDefined();
  expect((await take(streamStats(target(() => true), { stream: false, oneShot: true }, signal, 1)))[0]?.['preread']).toBe('0001-01-01T00:00:00Z');
  expect((await take(streamStats(target(() => false), { stream: false, oneShot: false }, signal, 1))).length).toBe(1);
});

test('a stream goes on until the container is removed or the signal aborts', async () => {
  let looks = 0;
  const three = target(() => (++looks > 3 ? undefined : looks !== 2));
  const documents = await take(streamStats(three, { stream: true, oneShot: false }, new AbortController().signal, 1));
  expect(documents.map((document) => document['read'] === '0001-01-01T00:00:00Z')).toEqual([false, true, false]);
  const abort = new AbortController();
  let count = 0;
  for await (const document of streamStats(target(() => true), { stream: true, oneShot: false }, abort.signal, 1)) {
    if (document['id'] === 'x' && ++count === 2) abort.abort();
  }
  expect(count).toBe(2);
});
