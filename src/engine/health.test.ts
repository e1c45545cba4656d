import { expect, test } from 'bun:test';
import type { HealthState } from '../model/index.ts';
import { healthCheckOf, HealthMonitor, ProbeOutput, type HealthCheck } from './health.ts';
import type { Clock } from './health-timers.ts';

class FakeClock implements Clock {
  time = 1_700_000_000_000;
  #timers: { at: number; run: () => void }[] = [];
  set = 0;

  now(): number {
    return this.time;
  }
  setTimer(callback: () => void, ms: number): () => void {
    this.set++;
    const timer = { at: this.time + ms, run: callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((one) => one !== timer);
    };
  }
  get pending(): number {
    return this.#timers.length;
  }
  /** Lets time pass, and what waits for promises run, in steps of the timers. */
  async pass(ms: number): Promise<void> {
    const end = this.time + ms;
    for (;;) {
      await settled();
      const next = this.#timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.time = Math.max(this.time, next.at);
      this.#timers = this.#timers.filter((timer) => timer !== next);
      next.run();
    }
    this.time = end;
    await settled();
  }
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
}

const check: HealthCheck = {
  command: ['true'], intervalMs: 1000, timeoutMs: 500, startPeriodMs: 0, startIntervalMs: 5000, retries: 3, exitOnUnhealthy: false,
};

function watch(clock: FakeClock, options: Partial<HealthCheck>, results: (number | 'hang' | 'fail')[]): {
  monitor: HealthMonitor; probes: number[]; seen: string[]; kills: number[]; broken: number[]; last: () => HealthState | undefined;
} {
  const monitor = new HealthMonitor(clock);
  const probes: number[] = [];
  const seen: string[] = [];
  const kills: number[] = [];
  const broken: number[] = [];
  const begin = clock.time;
  expect(monitor.start('c', {
    check: { ...check, ...options }, startedAt: begin,
    probe: (_command, output, signal) => {
      probes.push(clock.time - begin);
      const result = results.shift() ?? 0;
      output.write(1, Buffer.from(`out ${result}`));
      if (result === 'fail') return Promise.reject(new Error('no such file'));
      if (result !== 'hang') return Promise.resolve(result);
      return new Promise((resolve) => signal.addEventListener('abort', () => {
        broken.push(clock.time - begin);
        resolve(137);
      }));
    },
    onResult: (state, changed) => seen.push(`${state.Status}${changed ? '!' : ''}${state.FailingStreak}`),
    onUnhealthyExit: () => kills.push(clock.time - begin),
  }).Status).toBe('starting');
  return { monitor, probes, seen, kills, broken, last: () => monitor.state('c') };
}

test('starting, healthy, unhealthy after retries, healthy again (rules 1 to 5)', async () => {
  const clock = new FakeClock();
  const { probes, seen, last } = watch(clock, {}, [1, 0, 1, 1, 1, 1, 0]);
  expect(last()?.Status).toBe('starting');
  await clock.pass(7000);
  expect(probes).toEqual([1000, 2000, 3000, 4000, 5000, 6000, 7000]);
  expect(seen).toEqual(['starting1', 'healthy!0', 'healthy1', 'healthy2', 'unhealthy!3', 'unhealthy4', 'healthy!0']);
});

test('the interval counts from the end of a probe; a late one is broken off and failed', async () => {
  const clock = new FakeClock();
  const { probes, broken, last } = watch(clock, {}, ['hang', 0]);
  await clock.pass(2500);
  expect(probes).toEqual([1000, 2500]);
  expect(broken).toEqual([1500]);
  expect(last()?.Log[0]).toMatchObject({ ExitCode: -1, Output: 'Health check exceeded timeout (500ms): out hang' });
});

test('failures in the start period do not count, until one probe succeeded', async () => {
  const clock = new FakeClock();
  const { seen } = watch(clock, { startPeriodMs: 3500, retries: 1 }, [1, 1, 1, 1]);
  await clock.pass(4000);
  expect(seen).toEqual(['starting0', 'starting0', 'starting0', 'unhealthy!1']);
  const other = watch(clock, { startPeriodMs: 10_000, retries: 1 }, [0, 1]);
  await clock.pass(2000);
  expect(other.seen).toEqual(['healthy!0', 'unhealthy!1']);
});

test('the start interval holds within the start period', async () => {
  const clock = new FakeClock();
  const { probes } = watch(clock, { intervalMs: 10_000, startIntervalMs: 100, startPeriodMs: 250 }, [1, 1, 1]);
  await clock.pass(11_000);
  expect(probes).toEqual([100, 200, 300, 10_300]);
});

test('five records are kept, with start, end, status and output', async () => {
  const clock = new FakeClock();
  const { last } = watch(clock, {}, [1, 2, 3, 'fail', 5, 6]);
  await clock.pass(6000);
  expect(last()?.Log.map((record) => record.ExitCode)).toEqual([2, 3, -1, 5, 6]);
  expect(last()?.Log[2]?.Output).toBe('no such file');
  expect(last()?.Log[0]).toEqual({ Start: '2023-11-14T22:13:22.000000000Z', End: '2023-11-14T22:13:22.000000000Z', ExitCode: 2, Output: 'out 2' });
});

test('exit-on-unhealthy kills once it is unhealthy, once (rule 6)', async () => {
  const clock = new FakeClock();
  const { kills, monitor } = watch(clock, { exitOnUnhealthy: true, retries: 2 }, [1, 1, 1]);
  await clock.pass(3000);
  expect(kills).toEqual([2000]);
  monitor.stop('c');
  expect(monitor.state('c')).toBeUndefined();
  expect(clock.pending).toBe(0);
});

test('a paused container is not probed, and goes on as it was', async () => {
  const clock = new FakeClock();
  const { probes, broken, monitor, last, seen } = watch(clock, {}, [0, 'hang', 0]);
  await clock.pass(2100);
  monitor.pause('c');
  await clock.pass(10_000);
  expect(broken).toEqual([2100]);
  expect(last()?.Status).toBe('healthy');
  monitor.resume('c');
  monitor.resume('c');
  await clock.pass(1500);
  expect(probes).toEqual([1000, 2000, 13_100]);
  expect(seen.length).toBe(2);
});

test('five hundred containers wake the daemon once for each moment', async () => {
  const clock = new FakeClock();
  const monitor = new HealthMonitor(clock);
  let probes = 0;
  for (let number = 0; number < 500; number++) {
    monitor.start(String(number), {
      check: { ...check, intervalMs: 10_000 }, startedAt: clock.time, probe: () => Promise.resolve(probes++ * 0), onResult() {}, onUnhealthyExit() {},
    });
  }
  expect(clock.pending).toBe(1);
  await clock.pass(60_000);
  expect(probes).toBe(3000);
  monitor[Symbol.dispose]();
  expect(clock.pending).toBe(0);
});

test('deadlines in any order, called off or not', async () => {
  const clock = new FakeClock();
  const monitor = new HealthMonitor(clock);
  let seed = 5;
  const random = (below: number): number => (seed = (seed * 1103515245 + 12345) % 2147483648) % below;
  const ran: number[] = [];
  const begin = clock.time;
  const wanted: number[] = [];
  for (let number = 0; number < 300; number++) {
    const intervalMs = 1 + random(5000);
    monitor.start(String(number), {
      check: { ...check, intervalMs }, startedAt: clock.time, onResult() {}, onUnhealthyExit() {},
      probe: () => {
        ran.push(clock.time - begin);
        monitor.stop(String(number));
        return Promise.resolve(0);
      },
    });
    if (random(3) === 0) monitor.stop(String(number));
    else wanted.push(intervalMs);
  }
  await clock.pass(6000);
  expect(ran).toEqual(wanted.sort((a, b) => a - b));
});

test('output beyond 4096 bytes is cut', () => {
  const output = new ProbeOutput();
  for (let number = 0; number < 100; number++) output.write(2, Buffer.alloc(100, 'x'));
  expect(output.text).toBe(`${'x'.repeat(4096)}...`);
});

test('the check of a configuration, 0 being the default', () => {
  expect(healthCheckOf({ Test: ['NONE'] }, undefined)).toBeUndefined();
  expect(healthCheckOf({ Interval: 1e9 }, undefined)).toBeUndefined();
  expect(healthCheckOf({ Test: ['RUN', 'x'] }, undefined)).toBeUndefined();
  expect(healthCheckOf({ Test: ['CMD'] }, undefined)).toBeUndefined();
  expect(healthCheckOf({ Test: ['CMD-SHELL', 'x'], Interval: 0, Retries: 0 }, ['/bin/ash', '-c'])).toEqual({
    command: ['/bin/ash', '-c', 'x'], intervalMs: 30_000, timeoutMs: 30_000, startPeriodMs: 0, startIntervalMs: 5000, retries: 3,
    exitOnUnhealthy: false,
  });
  expect(healthCheckOf({ Test: ['CMD', 'a', 'b'], Interval: 1, Timeout: -5 }, undefined))
    .toMatchObject({ command: ['a', 'b'], intervalMs: 1, timeoutMs: 30_000 });
});
