import { expect, test } from 'bun:test';
import { Database } from 'bun:sqlite';
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { umountAll } from '../src/linux/index.ts';
import {
  at, cgroupDirs, expectConsistent, mountsBelow, processesOf, removeCgroup, subdirectories, useDaemon, waitUntil,
} from './harness/index.ts';

/** What happened while no daemon looked: the next one takes it in, and the restart policies apply to it. */
const daemon = useDaemon();
const flags = (): string => join(daemon.dir, 'flags');

async function state(name: string): Promise<unknown> {
  return at((await daemon.http('GET', `/containers/${name}/json`)).json(), 'State');
}

async function idOf(name: string): Promise<string> {
  return String(at((await daemon.http('GET', `/containers/${name}/json`)).json(), 'Id'));
}

async function isIn(name: string, status: string): Promise<void> {
  await waitUntil(`${name} to be ${status}`, async () => at(await state(name), 'Status') === status);
}

function restarts(name: string): Promise<string> {
  return daemon.ok(['inspect', '-f', '{{.RestartCount}}', name]);
}

/** A container that does something once it is told to, by a file, and says how it ended. */
async function runWaiting(name: string, then: string, ...options: string[]): Promise<string> {
  mkdirSync(flags(), { recursive: true });
  const script = `until [ -e /flags/${name} ]; do sleep 0.02; done; ${then}`;
  await daemon.ok(['run', '-d', '--name', name, '-v', `${flags()}:/flags`, ...options, 'busybox', 'sh', '-c', script]);
  return idOf(name);
}

/** While the daemon is down: lets it go on, and waits for its end; gives when that was. */
async function endOf(name: string, id: string): Promise<number> {
  writeFileSync(join(flags(), name), '');
  const exitFile = join(daemon.state, 'exits', id);
  await waitUntil(`the end of ${name}`, () => existsSync(exitFile));
  return statSync(exitFile).mtimeMs;
}

test('exits while the daemon is down keep code, time and the kill for want of memory', async () => {
  const ends: Record<string, { then: string; code: number; oom: boolean; options: string[] }> = {
    plain: { then: 'exit 9', code: 9, oom: false, options: [] },
    zero: { then: 'exit 0', code: 0, oom: false, options: ['-t'] },
    hungry: { then: 'exec tail /dev/zero', code: 137, oom: true, options: ['-m', '32m'] },
  };
  const ids = new Map<string, string>();
  for (const [name, { then, options }] of Object.entries(ends)) ids.set(name, await runWaiting(name, then, ...options));
  await daemon.kill();
  const times = new Map<string, number>();
  for (const [name, id] of ids) times.set(name, await endOf(name, id));
  await daemon.start();
  for (const [name, { code, oom }] of Object.entries(ends)) {
    await isIn(name, 'exited');
    const found = await state(name);
    expect([name, at(found, 'ExitCode'), at(found, 'OOMKilled'), at(found, 'Running'), at(found, 'Pid')]).toEqual([name, code, oom, false, 0]);
    expect(Math.abs(Date.parse(String(at(found, 'FinishedAt'))) - (times.get(name) ?? 0))).toBeLessThan(2);
  }
  await expectConsistent(daemon);
  await daemon.removeAll();
});

test('policies apply to exits while the daemon is down', async () => {
  const cases: [name: string, policy: string, code: number, after: string][] = [
    ['never', 'no', 1, 'exited'], ['failed', 'on-failure', 1, 'running'], ['fine', 'on-failure', 0, 'exited'], ['always', 'always', 0, 'running'],
    ['unless', 'unless-stopped', 0, 'running'], ['rebooted', 'on-reboot', 129, 'running'], ['notrebooted', 'on-reboot', 1, 'exited'],
  ];
  const ids = await Promise.all(cases.map(([name, policy, code]) => runWaiting(name, `exit ${code}`, '--restart', policy)));
  await daemon.kill();
  for (const [index, [name]] of cases.entries()) await endOf(name, ids[index] ?? '');
  rmSync(flags(), { recursive: true });
  mkdirSync(flags());
  await daemon.start();
  for (const [name, , code, after] of cases) {
    await isIn(name, after);
    expect(await restarts(name)).toBe(after === 'running' ? '1' : '0');
    if (after === 'exited') expect(at(await state(name), 'ExitCode')).toBe(code);
  }
  await expectConsistent(daemon);
  await daemon.removeAll();
});

test('tries are counted on across daemons, also when they die in the back-off', async () => {
  await daemon.ok(['run', '-d', '--name', 'limited', '--restart', 'on-failure:4', 'busybox', 'sh', '-c', 'exit 3']);
  for (let turn = 0; turn < 4; turn++) {
    await daemon.kill();
    await daemon.start();
  }
  await isIn('limited', 'exited');
  expect([await restarts('limited'), at(await state('limited'), 'ExitCode')]).toEqual(['4', 3]);
  // A stop in the back-off ends it, for the next daemon too.
  await daemon.ok(['run', '-d', '--name', 'stopped', '--restart', 'unless-stopped', 'busybox', 'sh', '-c', 'exit 3']);
  await waitUntil('some restarts', async () => Number(await restarts('stopped')) >= 3);
  await daemon.ok(['stop', 'stopped']);
  await daemon.kill();
  await daemon.start();
  expect(at(await state('stopped'), 'Status')).toBe('exited');
  await daemon.removeAll();
});

test('a container whose namespaces others join is started before them', async () => {
  const sleep = ['busybox', 'sleep', '1000'];
  await daemon.ok(['run', '-d', '--name', 'zz-base', '--restart', 'always', ...sleep]);
  for (const name of ['aa-joins', 'bb-joins']) {
    await daemon.ok(['run', '-d', '--name', name, '--restart', 'always', '--net', 'container:zz-base', ...sleep]);
  }
  await reboot();
  await daemon.start();
  for (const name of ['zz-base', 'aa-joins', 'bb-joins']) {
    await isIn(name, 'running');
    expect(await daemon.ok(['exec', name, 'echo', 'up'])).toBe('up');
  }
  await daemon.removeAll();
});

/** What a reboot does: no process, no mount, no cgroup, no state root, another boot; pids that were ours are anybody's. */
async function reboot(): Promise<void> {
  await daemon.kill();
  for (const directory of cgroupDirs(daemon.cgroup).flatMap(subdirectories)) {
    for (const [file, thawed] of [['freezer.state', 'THAWED'], ['cgroup.freeze', '0']] as const) {
      if (existsSync(join(directory, file))) writeFileSync(join(directory, file), thawed);
    }
  }
  for (;;) {
    const left = [...processesOf(daemon.state), ...inits()];
    if (left.length === 0) break;
    for (const { pid } of left) kill(pid);
    await Bun.sleep(10);
  }
  for (const path of cgroupDirs(daemon.cgroup).flatMap(subdirectories)) removeCgroup(path);
  for (const path of mountsBelow(daemon.dir).reverse()) umountAll(path);
  for (const name of readdirSync(daemon.state)) rmSync(join(daemon.state, name), { recursive: true, force: true });
  using db = new Database(join(daemon.graph, 'isulad.db'));
  db.exec(`UPDATE container SET dynamics = json_set(dynamics, '$.bootId', 'another-boot')`);
  // The first process of the host has the pid of a container's.
  db.exec(`UPDATE container SET dynamics = json_set(dynamics, '$.process.pid', 1, '$.process.conmonPid', 1)
    WHERE json_extract(dynamics, '$.process') IS NOT NULL`);
}

/** The containers' first processes, by the records. */
function inits(): { pid: number }[] {
  using db = new Database(join(daemon.graph, 'isulad.db'), { readonly: true });
  const rows = db.query<{ pid: number | null }, []>(`SELECT json_extract(dynamics, '$.process.pid') AS pid FROM container`).all();
  return rows.flatMap(({ pid }) => (pid !== null && pid > 1 && existsSync(`/proc/${pid}`) ? [{ pid }] : []));
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has just ended.
  }
}

test('after a reboot nothing is taken for running, and the policies apply', async () => {
  const policies: Record<string, string> = {
    none: 'no', failure: 'on-failure', always: 'always', unless: 'unless-stopped', quiet: 'unless-stopped', loud: 'always',
  };
  for (const [name, policy] of Object.entries(policies)) {
    await daemon.ok(['run', '-d', '--name', name, '--restart', policy, 'busybox', 'sh', '-c', 'echo begun; exec sleep 1000']);
  }
  await daemon.ok(['run', '-d', '--rm', '--name', 'passing', '-v', '/data', 'busybox', 'sleep', '1000']);
  await daemon.ok(['create', '--name', 'fresh', '--restart', 'always', 'busybox', 'sleep', '1000']);
  await daemon.ok(['stop', '-t', '0', 'quiet', 'loud']);
  await daemon.ok(['pause', 'none']);
  await reboot();
  await daemon.start();
  const wanted = { none: 'exited', failure: 'running', always: 'running', unless: 'running', quiet: 'exited', loud: 'running', fresh: 'created' };
  for (const [name, status] of Object.entries(wanted)) await isIn(name, status);
  await waitUntil('the container of --rm to be gone', async () => (await daemon.http('GET', '/containers/passing/json')).status === 404);
  expect(at(await state('none'), 'ExitCode')).toBe(255);
  expect(await daemon.ok(['logs', 'always'])).toBe('begun\nbegun');
  expect(await daemon.ok(['exec', 'unless', 'echo', 'up'])).toBe('up');
  await daemon.ok(['start', 'none']);
  await expectConsistent(daemon);
});
