import { afterAll, expect, test } from 'bun:test';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand, TestDaemon, useDaemon } from './harness/index.ts';

/** Ranges of a user that every host has; the lines are ours, and go at the end. */
const ranges = [['/etc/subuid', 'daemon:1300000:65536'], ['/etc/subgid', 'daemon:1400000:65536']] as const;
const textOf = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8') : '');
for (const [path, line] of ranges) if (!textOf(path).includes(`${line}\n`)) writeFileSync(path, `${textOf(path)}${line}\n`);

const daemon = useDaemon({ flags: ['--userns-remap', 'daemon'] });
const graph = join(daemon.graph, '1300000.1400000');
afterAll(() => {
  for (const [path, line] of ranges) writeFileSync(path, textOf(path).replace(`${line}\n`, ''));
});

test('root of a container is nobody on the host, and root of its own files', async () => {
  const seen = 'cat /proc/self/uid_map; ls -ldn / /etc /etc/hosts /home/user | tr -s " " | cut -d" " -f3,4';
  const look = `${seen}; touch /x && echo writes; head -c 0 /dev/null && echo devices`;
  const lines = (await daemon.ok(['run', '--rm', 'busybox', 'sh', '-c', look])).split('\n').map((line) => line.trim().replace(/ +/g, ' '));
  expect(lines).toEqual(['0 1300000 65536', '0 0', '0 0', '0 0', '1000 1000', 'writes', 'devices']);
  await daemon.ok(['run', '-d', '--name', 'remapped', '--init', '-v', 'data:/home', '--tmpfs', '/t', '-m', '64m', 'busybox', 'sleep', '1000']);
  const pid = await daemon.ok(['inspect', '-f', '{{.State.Pid}}', 'remapped']);
  expect(/^Uid:\t(\d+)\t.*\nGid:\t(\d+)\t/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.slice(1)).toEqual(['1300000', '1400000']);
  // A volume is the container's: filled from the image, and its root may write to it.
  await daemon.ok(['exec', 'remapped', 'touch', '/home/new']);
  const data = await daemon.ok(['volume', 'inspect', '-f', '{{.Mountpoint}}', 'data']);
  expect([statSync(join(data, 'new')).uid, statSync(join(data, 'user')).uid, statSync(data).gid]).toEqual([1300000, 1301000, 1400000]);
  expect(await daemon.ok(['exec', '-u', 'user', 'remapped', 'id', '-u'])).toBe('1000');
  const terminal = daemon.terminal(['run', '-it', '--rm', 'busybox', 'sh', '-c', 'ls -ln $(tty); id -u']);
  expect(await terminal.end()).toBe(0);
  expect(terminal.stdout).toMatch(/crw.* 0 +5 .*\/dev\/pts\/0\r\n0\r\n/);
});

test('the host\'s devices stay the host\'s, a container\'s own are its root\'s', async () => {
  const owner = () => [statSync('/dev/null').uid, statSync('/dev/null').gid];
  const before = owner();
  const device = ['--device', '/dev/null:/dev/own'];
  const look = 'cat; echo x > /dev/own && stat -c "%u:%g %a" /dev/own; umask';
  expect(await daemon.ok(['run', '--rm', ...device, 'busybox', 'sh', '-c', look])).toBe('0:0 666\n0027');
  expect(await daemon.ok(['run', '--rm', '-i', ...device, 'busybox', 'sh', '-c', look], { input: 'in\n' })).toBe('in\n0:0 666\n0027');
  const terminal = await daemon.ok(['run', '-d', '-t', 'busybox', 'sleep', '1000']);
  await daemon.ok(['exec', '-d', '-t', '-u', 'user', terminal, 'true']);
  await daemon.ok(['run', '--rm', '--net', `container:${terminal}`, 'busybox', 'true']);
  expect(owner()).toEqual(before);
  await daemon.ok(['rm', '-f', terminal]);
});

test('archives, diffs and images have the container\'s ids', async () => {
  await daemon.ok(['exec', 'remapped', 'sh', '-c', 'mkdir /data && echo x > /data/f && chown 7:8 /data/f']);
  const put = join(daemon.dir, 'put');
  writeFileSync(put, 'put');
  await daemon.ok(['cp', put, 'remapped:/data/put']);
  const numbers = 'cd /data; for i in *; do echo "$i $(stat -c %u:%g $i)"; done';
  expect(await daemon.ok(['exec', 'remapped', 'sh', '-c', numbers])).toBe('f 7:8\nput 0:0');
  const copied = (await daemon.isula(['cp', 'remapped:/data', '-'])).bytes;
  const exported = (await daemon.isula(['export', 'remapped'])).bytes;
  for (const tar of [copied, exported]) {
    const list = (await runCommand(['tar', 'tvf', '-', '--numeric-owner'], { input: new Uint8Array(tar) })).stdout;
    expect(list).toMatch(/ 7\/8 .* data\/f\n/);
    expect(list).toMatch(/ 0\/0 .* data\/put\n/);
    expect(list).not.toMatch(/ 1[34]\d{5}\//);
  }
  const changes = (await daemon.ok(['diff', 'remapped'])).split('\n');
  expect(changes).toEqual(expect.arrayContaining(['A /data', 'A /data/f', 'A /data/put']));
  expect(changes).not.toContain('C /bin');
  await daemon.ok(['commit', 'remapped', 'committed']);
  expect(await daemon.ok(['run', '--rm', 'committed', 'stat', '-c', '%u:%g', '/data/f'])).toBe('7:8');
  await daemon.ok(['stop', '-t', '0', 'remapped']);
  await daemon.ok(['cp', put, 'remapped:/data/stopped']);
  await daemon.ok(['start', 'remapped']);
  expect(await daemon.ok(['exec', 'remapped', 'stat', '-c', '%u:%g', '/data/stopped'])).toBe('0:0');
  await daemon.ok(['rmi', 'committed']);
});

test('joined namespaces bring their user namespace; the host\'s own go with --userns host alone', async () => {
  const link = 'readlink /proc/self/ns/user; readlink /proc/self/ns/net';
  const donor = await daemon.ok(['exec', 'remapped', 'sh', '-c', link]);
  expect(await daemon.ok(['run', '--rm', '--net', 'container:remapped', '--pid', 'container:remapped', 'busybox', 'sh', '-c', link])).toBe(donor);
  for (const [options, message] of [
    [['--privileged'], 'privileged mode is incompatible with user namespaces'], [['--net', 'host'],
      'network namespace when user namespaces are enabled'],
    [['--pid', 'host'], 'PID namespace when user namespaces are enabled'], [['--ipc', 'host'], 'IPC namespace'], [['--uts', 'host'], 'UTS namespace'],
  ] as const) {
    const { code, stderr } = await daemon.isula(['run', '--rm', ...options, 'busybox', 'true']);
    expect([options, code, stderr]).toEqual([options, 125, expect.stringContaining(message)]);
  }
  const own = await daemon.ok(['run', '--rm', '--userns', 'host', '--privileged', '--net', 'host', 'busybox', 'sh', '-c',
    'tr -s " " < /proc/self/uid_map']);
  expect(own.trim()).toBe('0 0 4294967295');
});

test('it is its own store, which a daemon that does not remap leaves alone; info says so', async () => {
  expect(await daemon.ok(['info'])).toContain(`iSulad Root Dir: ${graph}`);
  expect(await daemon.ok(['info'])).toContain('userns');
  await daemon.kill();
  await daemon.start();
  expect(await daemon.ok(['exec', 'remapped', 'id', '-u'])).toBe('0');
  await daemon.ok(['rm', '-f', '-v', 'remapped']);
  await daemon.ok(['volume', 'rm', 'data']);
  for (const name of ['engines/lcr', 'storage/overlay2/containers', 'storage/overlay2/staging']) expect([name, readdirSync(join(graph,
    name))]).toEqual([name, []]);
});

test('a user that cannot be is refused at the start', async () => {
  for (const [text, message] of [['nosuchuser', 'there is no user nosuchuser'], ['root', 'has no range for root']] as const) {
    const refused = new TestDaemon({ flags: ['--userns-remap', text] });
    try {
      await expect(refused.start()).rejects.toThrow(message);
    } finally {
      await refused.close();
    }
  }
});
