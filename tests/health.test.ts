import { afterAll, expect, test } from 'bun:test';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { at, useDaemon, waitUntil } from './harness/index.ts';

/** Guide 1.3.7.3 and 4.3.3. The shortest interval is a second, so the containers of this file run side by side. */
const daemon = useDaemon();

/** What the probes of containers find is in this directory. */
const signs = mkdtempSync('/tmp/isula-health-');
afterAll(() => rmSync(signs, { recursive: true, force: true }));

async function healthOf(name: string): Promise<unknown> {
  return at(JSON.parse(await daemon.ok(['inspect', name])), 0, 'State', 'Health');
}

async function statusOf(name: string): Promise<unknown> {
  return at(await healthOf(name), 'Status');
}

async function untilStatus(name: string, status: string): Promise<void> {
  await waitUntil(`${name} to be ${status}`, async () => (await statusOf(name)) === status);
}

async function entries(name: string): Promise<unknown[]> {
  const log = at(await healthOf(name), 'Log');
  if (!Array.isArray(log)) throw new Error('no log');
  return log;
}

/** Starts a container whose probe succeeds while the file of its name is there. */
async function start(name: string, ...options: string[]): Promise<void> {
  const probe = `echo probe of ${name}; test -e /signs/${name}`;
  await daemon.ok(['run', '-d', '--name', name, '-v', `${signs}:/signs:ro`, '--health-cmd', probe, '--health-interval', '1s', ...options, 'busybox',
    'sleep', '1000']);
}

const shown = (name: string) => daemon.ok(['ps', '-a', '--filter', `name=^${name}$`, '--format', '{{.Status}}']);

test('rules 1 to 5, 7, 8: starting, healthy, unhealthy after the retries, healthy again; five records; events; ps', async () => {
  const since = String(Math.floor(Date.now() / 1000));
  await start('rules', '--health-retries', '2', '--health-timeout', '20s');
  expect(await healthOf('rules')).toEqual({ Status: 'starting', FailingStreak: 0, Log: [] });
  expect(await shown('rules')).toContain('(health: starting)');
  // It fails from the first time on: starting until the retries are used up.
  await untilStatus('rules', 'unhealthy');
  expect(Number(at(await healthOf('rules'), 'FailingStreak'))).toBeGreaterThanOrEqual(2);
  expect(await shown('rules')).toContain('(unhealthy)');
  const [record] = await entries('rules');
  expect(record).toEqual({ Start: expect.any(String), End: expect.any(String), ExitCode: 1, Output: 'probe of rules\n' });
  writeFileSync(join(signs, 'rules'), '');
  await untilStatus('rules', 'healthy');
  expect(at(await healthOf('rules'), 'FailingStreak')).toBe(0);
  expect(await shown('rules')).toContain('(healthy)');
  expect(await daemon.ok(['ps', '-q', '--filter', 'health=healthy', '--format', '{{.Names}}'])).toBe('rules');
  // An interval lies between the end of one and the start of the next.
  await waitUntil('five records', async () => (await entries('rules')).length === 5);
  const times = (await entries('rules')).map((entry) => [Date.parse(String(at(entry, 'Start'))), Date.parse(String(at(entry, 'End')))] as const);
  for (const [index, [started]] of times.entries()) if (index > 0) expect(started - (times[index - 1]?.[1] ?? 0)).toBeGreaterThanOrEqual(995);
  rmSync(join(signs, 'rules'));
  await untilStatus('rules', 'unhealthy');
  expect(await entries('rules')).toHaveLength(5);
  const events = await daemon.ok(['events', '--since', since, '--until', String(Math.floor(Date.now() / 1000)), '--filter', 'container=rules',
    '--filter', 'event=health_status', '--format', '{{.Action}}']);
  expect(events.split('\n').slice(0, 2)).toEqual(['health_status: unhealthy', 'health_status: healthy']);
  await daemon.ok(['rm', '-f', 'rules']);
});

test('a probe that takes too long fails and is killed, with what it wrote; rule 6: it ends the container, a policy revives it', async () => {
  const probe = `echo begun; echo $$ > /signs/pid; exec sleep 1000`;
  const options = ['-v', `${signs}:/signs`, '--pid', 'host', '--health-cmd', probe, '--health-interval', '1s', '--health-timeout', '1s',
    '--health-retries', '1'];
  await daemon.ok(['run', '-d', '--name', 'slow', ...options, '--health-exit-on-unhealthy', 'busybox', 'sleep', '1000']);
  await daemon.ok(['wait', 'slow']);
  expect(await daemon.ok(['inspect', '-f', '{{.State.Status}} {{.State.ExitCode}}', 'slow'])).toBe('exited 137');
  const health = await healthOf('slow');
  expect([at(health, 'Status'), at(health, 'Log', 0, 'ExitCode')]).toEqual(['unhealthy', -1]);
  expect(String(at(health, 'Log', 0, 'Output'))).toMatch(/exceeded timeout \(1s\).*begun/s);
  const pid = readFileSync(join(signs, 'pid'), 'utf8').trim();
  await waitUntil('the probe to be gone', () => !existsSync(`/proc/${pid}`));
  // No probe runs until it is started again.
  await daemon.ok(['start', 'slow']);
  expect(await statusOf('slow')).toBe('starting');
  await daemon.ok(['wait', 'slow']);
  await daemon.ok(['rm', 'slow']);
  await start('revived', '--health-retries', '1', '--health-exit-on-unhealthy', '--restart', 'on-failure:1');
  await waitUntil('the restart and the second end', async () =>
    (await daemon.ok(['inspect', '-f', '{{.RestartCount}} {{.State.Status}}', 'revived'])) === '1 exited');
  await daemon.ok(['rm', 'revived']);
});

test('a probe that takes too long is killed with all that it started, while the container goes on', async () => {
  const probe = 'sleep 777 & wait';
  const options = ['--health-interval', '1s', '--health-timeout', '1s', '--health-retries', '100'];
  await daemon.ok(['run', '-d', '--name', 'lingers', ...options, '--health-cmd', probe, 'busybox', 'sleep', '1000']);
  await waitUntil('a probe to time out', async () => (await entries('lingers')).length > 0);
  await daemon.ok(['pause', 'lingers']);
  await daemon.ok(['unpause', 'lingers']);
  // Those that were overdue, or paused away, are gone: at most the one of the probe that runs now is seen.
  const sleepers = async () => (await daemon.ok(['top', 'lingers', '-o', 'pid,args'])).split('\n').filter((line) => line.endsWith(' sleep 777'));
  await waitUntil('three probes', async () => (await entries('lingers')).length >= 3);
  await waitUntil('one probe at a time', async () => (await sleepers()).length <= 1);
  await daemon.ok(['rm', '-f', 'lingers']);
});

test('start period: failures do not count, a success ends it', async () => {
  await start('period', '--health-start-period', '1000s', '--health-start-interval', '100ms', '--health-retries', '1');
  await waitUntil('three probes', async () => (await entries('period')).length >= 3);
  expect(await healthOf('period')).toMatchObject({ Status: 'starting', FailingStreak: 0 });
  writeFileSync(join(signs, 'period'), '');
  await untilStatus('period', 'healthy');
  rmSync(join(signs, 'period'));
  await untilStatus('period', 'unhealthy');
  await daemon.ok(['rm', '-f', 'period']);
});

test('paused: no probes; a daemon that comes back begins at starting and keeps the records', async () => {
  writeFileSync(join(signs, 'pausing'), '');
  await start('pausing');
  await untilStatus('pausing', 'healthy');
  await daemon.ok(['pause', 'pausing']);
  const before = await entries('pausing');
  writeFileSync(join(signs, 'clock'), '');
  await start('clock');
  // Another container's probes are the clock.
  await waitUntil('three probes of another container', async () => (await entries('clock')).length >= 3);
  expect(await entries('pausing')).toEqual(before);
  await daemon.ok(['unpause', 'pausing']);
  await waitUntil('a probe after the pause', async () => (await entries('pausing')).length > before.length);
  await daemon.stop();
  await daemon.start();
  for (const name of ['pausing', 'clock']) {
    const health = await healthOf(name);
    expect([name, at(health, 'FailingStreak')]).toEqual([name, 0]);
    // The first probe may have been done by now.
    expect(['starting', 'healthy']).toContain(String(at(health, 'Status')));
    expect((await entries(name)).length).toBeGreaterThanOrEqual(Math.min(before.length, 3));
  }
  rmSync(join(signs, 'clock'));
  await untilStatus('clock', 'unhealthy');
  await daemon.kill();
  // Every probe will succeed: had it stayed unhealthy, that would be seen until the first one.
  writeFileSync(join(signs, 'clock'), '');
  await daemon.start();
  expect(await statusOf('clock')).not.toBe('unhealthy');
  await untilStatus('clock', 'healthy');
  await daemon.ok(['rm', '-f', 'pausing', 'clock']);
});

test('the image\'s check: taken over, changed in part, turned off', async () => {
  await daemon.ok(['run', '--name', 'base', 'busybox', 'true']);
  await daemon.ok(['commit', '-c', 'HEALTHCHECK --interval=7s --retries=5 CMD test -e /nothing', 'base', 'checked']);
  await daemon.ok(['rm', 'base']);
  const config = async (...options: string[]) => {
    await daemon.ok(['create', '--name', 'of-image', ...options, 'checked', 'sleep', '1000']);
    const health: unknown = JSON.parse(await daemon.ok(['inspect', '-f', '{{json .Config.Healthcheck}}', 'of-image']));
    await daemon.ok(['rm', 'of-image']);
    return health;
  };
  const image = { Test: ['CMD-SHELL', 'test -e /nothing'], Interval: 7e9, Retries: 5 };
  expect(await config()).toMatchObject(image);
  expect(await config('--health-retries', '2')).toMatchObject({ ...image, Retries: 2 });
  expect(await config('--health-cmd', 'true')).toMatchObject({ ...image, Test: ['CMD-SHELL', 'true'] });
  expect(await config('--no-healthcheck')).toEqual({ Test: ['NONE'] });
  // 0 is the default, here the image's.
  expect(await config('--health-interval', '0s')).toMatchObject(image);
  await daemon.ok(['run', '-d', '--name', 'off', '--no-healthcheck', 'checked', 'sleep', '1000']);
  expect(await healthOf('off')).toBeUndefined();
  expect(await shown('off')).not.toContain('health');
  await daemon.ok(['rm', '-f', 'off']);
  await daemon.ok(['rmi', 'checked']);
});
