import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { at, runCommand, useDaemon } from './harness/index.ts';

const daemon = useDaemon();
afterEach(() => daemon.removeAll());

let root = '';
let device = '';

beforeAll(async () => {
  root = join(daemon.dir, 'rootfs');
  mkdirSync(root);
  await shell('tar', '-xf', join(daemon.dir, 'busybox.tar'), '-C', root);
});

async function shell(...argv: string[]): Promise<string> {
  const { code, stdout, stderr } = await runCommand(argv);
  if (code !== 0) throw new Error(`${argv.join(' ')}: ${stderr}`);
  return stdout.trim();
}

function mountsOf(device: string): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8').split('\n').filter((line) => line.includes(` ${device} `));
}

test('a directory: written in place, kept by rm, users of the host (guide 1.3.1.1)', async () => {
  await daemon.ok(['run', '-d', '--name', 'dir', '--external-rootfs', root, 'none', 'sleep', '1000']);
  await daemon.ok(['exec', 'dir', 'touch', '/made']);
  expect(existsSync(join(root, 'made'))).toBe(true);
  expect(await daemon.ok(['inspect', '-f', '{{.HostConfig.ExternalRootfs}} [{{.Image}}]', 'dir'])).toBe(`${root} []`);
  expect(await daemon.ok(['exec', 'dir', 'cat', '/proc/1/cmdline'])).toContain('sleep');
  // The image's passwd has `user`, the host's has not; `games` is the other way round.
  expect(await daemon.ok(['run', '--rm', '--external-rootfs', root, '-u', 'games', 'none', 'id', '-u'])).toBe(await shell('id', '-u', 'games'));
  expect((await daemon.isula(['run', '--rm', '--external-rootfs', root, '-u', 'nobodyhere', 'none', 'id'])).stderr).toContain('unable to find user');
  const copied = join(daemon.dir, 'copied');
  await daemon.ok(['cp', 'dir:/etc/passwd', copied]);
  expect(readFileSync(copied, 'utf8')).toContain('user:x:1000');
  for (const verb of [['commit', 'dir', 'x:1'], ['diff', 'dir']]) expect((await daemon.isula(verb)).stderr).toContain('is not managed by isulad');
  await daemon.ok(['restart', '-t', '0', 'dir']);
  await daemon.ok(['rm', '-f', 'dir']);
  expect(existsSync(join(root, 'made'))).toBe(true);
  expect(await daemon.ok(['ps', '-aq'])).toBe('');
});

test('what is none: missing, a file, relative, a start after it went', async () => {
  const file = join(daemon.dir, 'file');
  writeFileSync(file, '');
  const wrong = [['/no/such/root', 'no such file'], [file, 'neither a directory nor a block device'], ['relative', 'absolute']] as const;
  for (const [path, message] of wrong) {
    const result = await daemon.isula(['create', '--external-rootfs', path, 'none', 'sh']);
    expect([path, result.code === 0, result.stderr]).toEqual([path, false, expect.stringContaining(message)]);
  }
  const passing = join(daemon.dir, 'passing');
  mkdirSync(passing);
  await daemon.ok(['create', '--name', 'passing', '--external-rootfs', passing, 'none', 'sh']);
  await shell('rmdir', passing);
  expect((await daemon.isula(['start', 'passing'])).stderr).toContain('no such file or directory');
  expect(await daemon.ok(['inspect', '-f', '{{.State.Status}}', 'passing'])).toBe('created');
});

test.skipIf(!existsSync('/dev/loop-control'))('a block device: mounted while the container runs, also over a crash', async () => {
  const image = join(daemon.dir, 'disk.img');
  await shell('truncate', '-s', '64M', image);
  await shell('mkfs.ext4', '-q', '-d', root, image);
  device = await shell('losetup', '-f', '--show', image);
  await daemon.ok(['run', '-d', '--name', 'disk', '--external-rootfs', device, 'none', 'sleep', '1000']);
  await daemon.ok(['exec', 'disk', 'touch', '/kept']);
  expect(mountsOf(device)).toHaveLength(1);
  await daemon.ok(['cp', 'disk:/etc/group', join(daemon.dir, 'group')]);
  await daemon.kill();
  await daemon.start();
  expect(await daemon.ok(['exec', 'disk', 'ls', '/kept'])).toBe('/kept');
  await daemon.ok(['stop', '-t', '0', 'disk']);
  expect(mountsOf(device)).toEqual([]);
  expect((await daemon.isula(['export', '-o', join(daemon.dir, 'export.tar'), 'disk'])).stderr).toContain('mounted only while its container runs');
  await daemon.ok(['start', 'disk']);
  expect(await daemon.ok(['exec', 'disk', 'ls', '/kept'])).toBe('/kept');
  // One that ends while no daemon looks.
  const pid = Number(at((await daemon.http('GET', '/containers/disk/json')).json(), 'State', 'Pid'));
  await daemon.kill();
  process.kill(pid, 'SIGKILL');
  await daemon.start();
  await daemon.ok(['wait', 'disk']);
  await daemon.ok(['rm', 'disk']);
  expect(mountsOf(device)).toEqual([]);
  const readOnly = await daemon.isula(['run', '--rm', '--read-only', '--external-rootfs', device, 'none', 'sh', '-c', 'ls /kept; touch /new']);
  expect([readOnly.stdout, readOnly.stderr]).toEqual(['/kept\n', expect.stringContaining('Read-only file system')]);
  await shell('dd', 'if=/dev/zero', `of=${device}`, 'bs=1M', 'count=4', 'status=none');
  const broken = await daemon.isula(['run', '--rm', '--external-rootfs', device, 'none', 'sh']);
  expect([broken.code, broken.stderr]).toEqual([125, expect.stringContaining(`Cannot mount external rootfs ${device}`)]);
});

afterAll(async () => {
  if (device !== '') await shell('losetup', '-d', device);
});
