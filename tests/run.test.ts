import { afterEach, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { at, useDaemon, waitUntil } from './harness/index.ts';

const daemon = useDaemon();
afterEach(() => daemon.removeAll());

const run = ['run', '--rm'];

async function memoryBytes(): Promise<number> {
  return Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${daemon.pid}/smaps_rollup`, 'utf8'))?.[1]) * 1024;
}

test('input from a pipe ends the shell (guide 1.3.1.3: the original hangs), for run -i, exec -i and start -ai', async () => {
  const listed = await daemon.isula([...run, '-i', 'busybox', '/bin/sh'], { input: 'ls /\n' });
  expect([listed.code, listed.stdout.split('\n').slice(0, 3), listed.stderr]).toEqual([0, ['bin', 'dev', 'etc'], '']);
  expect((await daemon.isula([...run, '-i', 'busybox', 'cat'], { input: '' })).code).toBe(0);
  // Without -i the input is not touched and the command sees its end at once.
  expect(await daemon.ok([...run, 'busybox', 'sh', '-c', 'cat; echo end'], { input: 'unread' })).toBe('end');
  await daemon.ok(['create', '-i', '--name', 'later', 'busybox', 'sh']);
  expect((await daemon.isula(['start', '-ai', 'later'], { input: 'echo started; exit 4\n' }))).toMatchObject({ code: 4, stdout: 'started\n' });
  // A command that ends before its input does.
  for (let round = 0; round < 8; round++) {
    const early = await daemon.isula([...run, '-i', 'busybox', 'head', '-c', '5'], { input: 'x'.repeat(2_000_000) });
    expect([round, early.code, early.stdout]).toEqual([round, 0, 'xxxxx']);
  }
});

test('-a chooses streams; -d prints the id; output after the end of the process\'s children is not waited for', async () => {
  const script = 'echo out; echo err >&2';
  const onlyErrors = await daemon.isula([...run, '-a', 'stderr', 'busybox', 'sh', '-c', script]);
  expect([onlyErrors.stdout, onlyErrors.stderr]).toEqual(['', 'err\n']);
  const onlyOutput = await daemon.isula([...run, '-a', 'stdout', 'busybox', 'sh', '-c', script]);
  expect([onlyOutput.stdout, onlyOutput.stderr]).toEqual(['out\n', '']);
  expect(await daemon.ok(['run', '-d', 'busybox', 'true'])).toMatch(/^[0-9a-f]{64}$/);
  expect((await daemon.isula([...run, '-d', '-a', 'stdout', 'busybox', 'true'])).code).toBe(125);
  // The pid namespace goes with its first process.
  expect(await daemon.ok([...run, 'busybox', 'sh', '-c', 'sleep 5000 & echo gone'])).toBe('gone');
});

test('a large output arrives whole, and a client that does not read costs the daemon nothing', async () => {
  const bytes = 100_000_000;
  const before = await memoryBytes();
  const { bytes: output } = await daemon.isula([...run, '--log-opt', 'disable-log=true', 'busybox', 'head', '-c', String(bytes), '/dev/zero']);
  expect(output.length).toBe(bytes);
  // A client that attaches and never reads: the container is held, the daemon's memory is not.
  await daemon.ok(['create', '--name', 'flood', '--log-opt', 'disable-log=true', 'busybox', 'sh', '-c', 'head -c 300000000 /dev/zero']);
  await daemon.ok(['start', 'flood']);
  const { promise, resolve } = Promise.withResolvers<void>();
  const socket = connect({ path: daemon.socket }, resolve);
  await promise;
  socket.pause();
  socket.write('POST /containers/flood/attach?stream=1&stdout=1 HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n');
  for (let looks = 0; looks < 20; looks++) {
    expect(await memoryBytes()).toBeLessThan(before + 150_000_000);
    await Bun.sleep(20);
  }
  socket.destroy();
});

test('the umask: secure by default, normal by annotation, and the daemon\'s own choice', async () => {
  expect(await daemon.ok([...run, 'busybox', 'sh', '-c', 'umask'])).toBe('0027');
  expect(await daemon.ok([...run, '--annotation', 'native.umask=normal', 'busybox', 'sh', '-c', 'umask'])).toBe('0022');
  expect(await daemon.ok([...run, '--annotation', 'native.umask=secure', 'busybox', 'sh', '-c', 'umask'])).toBe('0027');
});

test('--rm leaves nothing, whichever way the container ends; --name is free again at once', async () => {
  for (const end of [['true'], ['sh', '-c', 'exit 3'], ['no-such-command'], ['sh', '-c', 'kill -9 1; exec sleep 0']]) {
    await daemon.isula([...run, '--name', 'passing', '-v', '/data', 'busybox', ...end]);
  }
  expect(await daemon.ok(['ps', '-aq'])).toBe('');
  expect(await daemon.ok(['volume', 'ls', '-q'])).toBe('');
  await daemon.ok(['run', '-d', '--rm', '--name', 'stopped', 'busybox', 'sleep', '1000']);
  await daemon.ok(['stop', '-t', '0', 'stopped']);
  await waitUntil('the removal', async () => (await daemon.ok(['ps', '-aq'])) === '');
});

test('20 in parallel: each its own output and status', async () => {
  const one = (_: unknown, n: number) => daemon.isula([...run, 'busybox', 'sh', '-c', `echo number ${n}; exit ${n}`]);
  const results = await Promise.all(Array.from({ length: 20 }, one));
  expect(results.map(({ code, stdout }) => [code, stdout])).toEqual(results.map((_, n) => [n, `number ${n}\n`]));
  expect(await daemon.ok(['ps', '-aq'])).toBe('');
});

test('a name that is in use, or none, makes nothing', async () => {
  const id = await daemon.ok(['create', '--name', 'mine', 'busybox', 'true']);
  const taken = await daemon.isula(['run', '--name', 'mine', 'busybox', 'true']);
  expect([taken.code, taken.stderr]).toEqual([125, expect.stringContaining(`The container name "/mine" is already in use by container "${id}"`)]);
  const create = () => daemon.http('POST', '/containers/create?name=race', { json: { Image: 'busybox', Cmd: ['true'] } });
  const answers = await Promise.all(Array.from({ length: 10 }, create));
  expect(answers.map(({ status }) => status).toSorted()).toEqual([201, ...Array.from({ length: 9 }, () => 409)]);
  expect(at((await daemon.http('GET', '/containers/json?all=1')).json(), 'length')).toBe(2);
});
