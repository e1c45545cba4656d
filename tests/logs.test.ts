import { expect, test } from 'bun:test';
import { readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { at, useDaemon, waitUntil } from './harness/index.ts';

const daemon = useDaemon();

/** Runs a container to its end, with its output only in the log. */
async function ran(name: string, flags: readonly string[], script: string): Promise<void> {
  await daemon.ok(['run', '-d', '--name', name, ...flags, 'busybox', 'sh', '-c', script]);
  await daemon.ok(['wait', name]);
}

function logs(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return daemon.isula(['logs', ...args]);
}

const numbers = (from: number, to: number): string => Array.from({ length: to - from + 1 }, (_, n) => `${from + n}\n`).join('');

async function logFiles(name: string): Promise<{ name: string; bytes: number }[]> {
  const path = String(at((await daemon.http('GET', `/containers/${name}/json`)).json(), 'LogPath'));
  return readdirSync(dirname(path)).filter((file) => file.startsWith('console.log'))
    .map((file) => ({ name: file, bytes: statSync(join(dirname(path), file)).size }));
}

test('both outputs, apart; long lines and an unfinished last one as they were written', async () => {
  await ran('plain', [], 'echo out; echo err >&2; head -c 100000 /dev/zero | tr "\\0" x; echo; printf "no end"');
  const { code, stdout, stderr } = await logs('plain');
  expect([code, stderr]).toEqual([0, 'err\n']);
  expect(stdout).toBe(`out\n${'x'.repeat(100_000)}\nno end`);
  const framed = await daemon.http('GET', '/containers/plain/logs?stderr=1');
  // One frame: stream 2, four bytes.
  expect(framed.text).toBe('\x02\0\0\0\0\0\0\x04err\n');
  expect((await daemon.http('GET', '/containers/plain/logs')).status).toBe(400);
  expect((await daemon.http('GET', '/containers/plain/logs?stdout=1&since=never')).status).toBe(400);
});

test('a terminal\'s output is raw and in one stream', async () => {
  await ran('terminal', ['-t'], 'echo out; echo err >&2');
  expect((await logs('terminal')).stdout).toBe('out\r\nerr\r\n');
  expect((await daemon.http('GET', '/containers/terminal/logs?stdout=1&stderr=1')).text).toBe('out\r\nerr\r\n');
});

test('--tail, -t, --since and --until choose', async () => {
  await ran('choose', [], 'for n in 1 2 3 4 5 6; do echo $n; sleep 0.02; done');
  const full = (await logs('-t', 'choose')).stdout.trimEnd().split('\n').map((line) => line.split(' '));
  expect(full.map(([, text]) => text)).toEqual(['1', '2', '3', '4', '5', '6']);
  for (const [time = ''] of full) expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/);
  const times = full.map(([time = '']) => time);
  expect((await logs('--tail', '2', 'choose')).stdout).toBe('5\n6\n');
  expect((await logs('--tail', '0', 'choose')).stdout).toBe('');
  expect((await logs('--tail', 'all', 'choose')).stdout).toBe('1\n2\n3\n4\n5\n6\n');
  expect((await logs('--since', times[3] ?? '', 'choose')).stdout).toBe('4\n5\n6\n');
  expect((await logs('--since', times[1] ?? '', '--until', times[3] ?? '', 'choose')).stdout).toMatch(/^2\n3\n(?:4\n)?$/);
  expect((await logs('--since', '1h', '--tail', '1', 'choose')).stdout).toBe('6\n');
  expect((await logs('--until', '1h', 'choose')).stdout).toBe('');
});

/** Writes numbers, from 1 to wherever it is when the file /stop comes, and then `end`. */
const counting = 'i=1; until [ -e /stop ]; do n=0; while [ $n -lt 500 ]; do echo $i; i=$((i+1)); n=$((n+1)); done; sleep 0.05; done; echo end';

test('-f: what is there, then what comes, to the container\'s end; no line lost, none twice, over rotations', async () => {
  await daemon.ok(['run', '-d', '--name', 'many', '--log-opt', 'max-size=50k', '--log-opt', 'max-file=200', 'busybox', 'sh', '-c', counting]);
  using early = daemon.background(['logs', '-f', 'many']);
  await waitUntil('some rotations', async () => (await logFiles('many')).length > 3);
  using late = daemon.background(['logs', '-f', '--tail', 'all', 'many']);
  await late.waitFor('\n2000\n');
  const before = (await logFiles('many')).length;
  await waitUntil('more rotations', async () => (await logFiles('many')).length > before + 1);
  await daemon.ok(['exec', 'many', 'touch', '/stop']);
  expect([await early.end(), await late.end()]).toEqual([0, 0]);
  const count = Number(early.stdout.trimEnd().split('\n').at(-2));
  const wanted = `${numbers(1, count)}end\n`;
  expect(early.stdout === wanted).toBe(true);
  expect(late.stdout === wanted).toBe(true);
  expect((await logs('many')).stdout === wanted).toBe(true);
  expect((await logs('--tail', '3001', 'many')).stdout === `${numbers(count - 2999, count)}end\n`).toBe(true);
});

test('max-file bounds what is kept, the newest stays', async () => {
  await daemon.ok(['run', '-d', '--name', 'bounded', '--log-opt', 'max-size=20k', '--log-opt', 'max-file=3', 'busybox', 'sh', '-c', counting]);
  await waitUntil('the first lines to go', async () => !(await logs('bounded')).stdout.startsWith('1\n'));
  await daemon.ok(['exec', 'bounded', 'touch', '/stop']);
  await daemon.ok(['wait', 'bounded']);
  for (const { name } of await logFiles('bounded')) expect(['console.log', 'console.log.1', 'console.log.2']).toContain(name);
  const kept = (await logs('bounded')).stdout.trimEnd().split('\n');
  expect(kept.at(-1)).toBe('end');
  const first = Number(kept[0]);
  expect(kept.slice(0, -1)).toEqual(Array.from({ length: kept.length - 1 }, (_, n) => String(first + n)));
});

test('a restarted container goes on in its log; -f stays over the restarts of a policy', async () => {
  await ran('twice', [], 'echo run; sleep 0.05');
  await daemon.ok(['start', '-a', 'twice']);
  expect((await logs('twice')).stdout).toBe('run\nrun\n');
  const script = 'echo begin; until [ -e /go ]; do sleep 0.02; done; exit 1';
  await daemon.ok(['create', '--name', 'policy', '--restart', 'on-failure:2', 'busybox', 'sh', '-c', script]);
  await daemon.ok(['start', 'policy']);
  using follower = daemon.background(['logs', '-f', 'policy']);
  await follower.waitFor('begin');
  await daemon.ok(['exec', 'policy', 'touch', '/go']);
  expect(await follower.end()).toBe(0);
  expect(follower.stdout).toBe('begin\n'.repeat(3));
});

test('logs survive a crash of the daemon, with what was written meanwhile', async () => {
  await daemon.ok(['run', '-d', '--name', 'crash', 'busybox', 'sh', '-c', 'i=0; while [ $i -lt 20 ]; do echo $i; i=$((i+1)); sleep 0.02; done']);
  await daemon.kill();
  await daemon.start();
  await daemon.ok(['wait', 'crash']);
  expect((await logs('-f', 'crash')).stdout).toBe(numbers(0, 19));
});

test('disable-log=true and --log-driver none keep nothing; bad options are refused', async () => {
  await ran('silent', ['--log-opt', 'disable-log=true'], 'echo unheard');
  await ran('none', ['--log-driver', 'none'], 'echo unheard');
  for (const name of ['silent', 'none']) {
    const refused = await logs(name);
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('does not support reading')]);
    expect(await daemon.ok(['inspect', '-f', '{{.LogPath}} {{index .Config.Annotations "log.console.file"}}', name])).toBe('none none');
    expect(await logFiles(name).catch(() => [])).toEqual([]);
  }
  // Attached, the output is seen all the same.
  expect(await daemon.ok(['run', '--rm', '--log-opt', 'disable-log=true', 'busybox', 'echo', 'seen'])).toBe('seen');
  for (const option of ['max-size=1x', 'max-file=0', 'max-file=x', 'disable-log=perhaps', 'nosuch=1', 'max-size']) {
    expect([option, (await daemon.isula(['create', '--log-opt', option, 'busybox', 'true'])).code]).not.toEqual([option, 0]);
  }
  expect((await daemon.isula(['create', '--log-driver', 'syslog', 'busybox', 'true'])).code).not.toBe(0);
});

test('one that never ran has an empty log, an unknown one none', async () => {
  await daemon.ok(['create', '--name', 'fresh', 'busybox', 'true']);
  expect(await logs('fresh')).toMatchObject({ code: 0, stdout: '', stderr: '' });
  expect(await logs('-f', 'fresh')).toMatchObject({ code: 0, stdout: '' });
  expect(await logs('nosuch')).toMatchObject({ code: 1, stderr: 'Error response from daemon: No such container: nosuch\n' });
});
