import { expect, test } from 'bun:test';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mount, MS_SHARED, setPropagation, umount } from '../src/linux/index.ts';
import { at, runCommand, useDaemon, waitUntil } from './harness/index.ts';

const daemon = useDaemon();

function folder(name: string, files: Record<string, string> = {}): string {
  const path = join(daemon.dir, name);
  mkdirSync(path, { recursive: true });
  for (const [file, text] of Object.entries(files)) writeFileSync(join(path, file), text);
  return path;
}

/** Output lines, both streams, of a container of busybox. */
async function run(options: readonly string[], script: string): Promise<string[]> {
  const { stdout } = await daemon.isula(['run', '--rm', ...options, 'busybox', 'sh', '-c', `{ ${script}; } 2>&1`]);
  return stdout.replace(/\n$/, '').split('\n');
}

async function refusal(options: readonly string[]): Promise<string> {
  const { code, stderr } = await daemon.isula(['run', '--rm', ...options, 'busybox', 'true']);
  expect([options, code]).toEqual([options, 125]);
  return stderr;
}

test('binds: read-only, relative, made where missing with -v, refused with --mount', async () => {
  const data = folder('data', { f: 'text' });
  const out = await run(['-v', `${data}:/ro:ro`, '-v', `${data}:/rw`, '-v', `${daemon.dir}/fresh/deep:/fresh`],
    'cat /ro/f; echo; touch /ro/x; touch /rw/made /fresh/made');
  expect(out).toEqual(['text', expect.stringContaining('Read-only file system')]);
  expect(existsSync(join(data, 'made')) && existsSync(join(daemon.dir, 'fresh/deep/made'))).toBe(true);
  expect(await daemon.ok(['run', '--rm', '-v', './data:/d:ro', 'busybox', 'cat', '/d/f'], { cwd: daemon.dir })).toBe('text');
  const file = join(data, 'f');
  expect(await run(['-v', `${file}:/etc/single:ro`], 'cat /etc/single')).toEqual(['text']);
  expect(await refusal(['--mount', `type=bind,src=${daemon.dir}/missing,dst=/x`])).toContain('bind source path does not exist');
  expect(existsSync(join(daemon.dir, 'missing'))).toBe(false);
});

test('a --mount covers a --volume of the same place; children follow their parents', async () => {
  const [a, b] = [folder('a', { a: '' }), folder('b', { b: '' })];
  const covered = await run(['--mount', `type=bind,src=${b},dst=/m,readonly`, '-v', `${a}:/m`], 'ls /m; touch /m/x');
  expect(covered).toEqual(['b', expect.stringContaining('Read-only')]);
  mkdirSync(join(a, 'sub'));
  expect(await run(['-v', `${b}:/m/sub`, '-v', `${a}:/m`], 'ls /m /m/sub')).toEqual(['/m:', 'a', 'sub', '', '/m/sub:', 'b']);
});

test('named volumes: filled from the image once, shared, counted, kept', async () => {
  await daemon.ok(['volume', 'create', '--label', 'a=b', 'named']);
  expect(await run(['-v', 'named:/home'], 'ls /home; touch /home/mine')).toEqual(['user']);
  expect(await run(['-v', 'named:/other'], 'stat -c %u /other/user; ls /other')).toEqual(['1000', 'mine', 'user']);
  expect(await run(['-v', 'bare:/home:nocopy'], 'ls /home')).toEqual(['']);
  expect(await run(['--mount', 'type=volume,src=nocopy,dst=/home,volume-nocopy'], 'ls /home')).toEqual(['']);
  expect(await run(['--mount', 'type=volume,src=labelled,dst=/x,volume-label=c=d'], 'true')).toEqual(['']);
  expect(await daemon.ok(['volume', 'ls', '-q', '--filter', 'label=c=d'])).toBe('labelled');
  expect(await run(['--mount', 'type=volume,src=named,dst=/s,volume-subpath=user'], 'pwd; ls -a /s | wc -l')).toEqual(['/', '2']);
  const id = await daemon.ok(['create', '--name', 'holder', '-v', 'named:/v', 'busybox']);
  expect((await daemon.isula(['volume', 'rm', 'named'])).stderr).toContain(`volume is in use - [${id}]`);
  await daemon.ok(['rm', '-v', 'holder']);
  await daemon.ok(['volume', 'rm', 'named', 'bare', 'nocopy', 'labelled']);
});

test('anonymous volumes: of -v and of the image, gone with --rm and rm -v, kept by rm; volumes-from', async () => {
  await daemon.ok(['run', '--name', 'base', 'busybox', 'sh', '-c', 'mkdir /data; echo seed > /data/seed']);
  await daemon.ok(['commit', '-c', 'VOLUME /data', 'base', 'withvolume']);
  await daemon.ok(['rm', 'base']);
  const volumes = async () => (await daemon.ok(['volume', 'ls', '-q'])).split('\n').filter((name) => name !== '');
  await daemon.ok(['run', '-d', '--name', 'owner', '-v', '/anon', '-v', `${folder('plain', { p: '' })}:/plain`, 'withvolume', 'sleep', '1000']);
  expect(await volumes()).toHaveLength(2);
  expect(await daemon.ok(['exec', 'owner', 'cat', '/data/seed'])).toBe('seed');
  await daemon.ok(['exec', 'owner', 'sh', '-c', 'echo more > /data/more; echo a > /anon/a']);
  expect(await run(['--volumes-from', 'owner:ro'], 'ls /data /anon /plain; touch /data/x')).toEqual(
    ['/anon:', 'a', '', '/data:', 'more', 'seed', '', '/plain:', 'p', expect.stringContaining('Read-only')]);
  expect(await run(['--volumes-from', 'owner'], 'touch /plain/written && ls /plain')).toEqual(['p', 'written']);
  const mounts: unknown = JSON.parse(await daemon.ok(['inspect', '-f', '{{json .Mounts}}', 'owner']));
  expect([0, 1, 2].map((index) => at(mounts, index, 'Destination')).toSorted()).toEqual(['/anon', '/data', '/plain']);
  await daemon.ok(['rm', '-f', 'owner']);
  expect(await volumes()).toHaveLength(2);
  expect(await daemon.ok(['volume', 'prune', '-f'])).toContain('Total reclaimed space');
  await daemon.ok(['run', '--name', 'owner', 'withvolume', 'true']);
  await daemon.ok(['rm', '-v', 'owner']);
  await daemon.ok(['run', '--rm', 'withvolume', 'true']);
  expect(await volumes()).toEqual([]);
  await daemon.ok(['rmi', 'withvolume']);
});

test('tmpfs: by both options, with size, mode and flags', async () => {
  const out = await run(['--mount', 'type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=1770', '--tmpfs', '/u:size=2m,exec'],
    'df -k /t /u | tail -2; stat -c %a /t; grep -E " /(t|u) " /proc/mounts; cp /bin/busybox /u/true && /u/true && echo executed');
  expect(out[0]).toMatch(/^tmpfs +1024 /);
  expect(out[1]).toMatch(/^tmpfs +2048 /);
  expect(out[2]).toBe('1770');
  expect(out[3]).toMatch(/ \/t tmpfs \S*noexec/);
  expect(out[4]).not.toContain('noexec');
  expect(out[5]).toBe('executed');
});

const hasLoop = existsSync('/dev/loop-control');
test.if(hasLoop)('image files: squashfs and erofs, read-only, their loop devices gone afterwards', async () => {
  const source = folder('packed', { inside: 'text' });
  const [squash, erofs] = [join(daemon.dir, 'image.squashfs'), join(daemon.dir, 'image.erofs')];
  const options: string[] = [];
  const supported = readFileSync('/proc/filesystems', 'utf8');
  if (Bun.which('mksquashfs') && supported.includes('squashfs')) {
    await runCommand(['mksquashfs', source, squash, '-quiet', '-no-progress']);
    options.push('--mount', `type=squashfs,src=${squash},dst=/squash`);
  }
  if (Bun.which('mkfs.erofs') && supported.includes('erofs')) {
    await runCommand(['mkfs.erofs', erofs, source]);
    options.push('--mount', `type=erofs,src=${erofs},dst=/erofs`);
  }
  const places = options.flatMap((option) => /dst=(.*)/.exec(option)?.[1] ?? []);
  for (const place of places) {
    expect(await run(options, `cat ${place}/inside; echo; touch ${place}/x`)).toEqual(['text', expect.stringContaining('Read-only')]);
  }
  await waitUntil('the loop devices to be free', () => !loopFiles().some((path) => path.startsWith(daemon.dir)));
  writeFileSync(squash, 'no image');
  expect(await refusal(['--mount', `type=squashfs,src=${squash},dst=/x`])).toContain(`Cannot mount squashfs image ${squash}`);
  await waitUntil('the loop devices to be free', () => !loopFiles().some((path) => path.startsWith(daemon.dir)));
});

function loopFiles(): string[] {
  return readdirSync('/sys/block').filter((name) => name.startsWith('loop')).flatMap((name) => {
    const path = `/sys/block/${name}/loop/backing_file`;
    return existsSync(path) ? [readFileSync(path, 'utf8').trim()] : [];
  });
}

test('propagation: shared both ways, slave one way, private none; refused where the source does not propagate', async () => {
  const shared = folder('shared');
  mount('tmpfs', shared, 'tmpfs');
  try {
    setPropagation(shared, MS_SHARED);
    for (const name of ['in', 'out']) mkdirSync(join(shared, name));
    const rights = ['--cap-add', 'sys_admin', '--security-opt', 'seccomp=unconfined'];
    for (const [mode, outward, inward] of [['rshared', true, true], ['rslave', false, true], ['rprivate', false, false]] as const) {
      await daemon.ok(['run', '-d', '--name', 'propagates', ...rights, '-v', `${shared}:/s:${mode}`, 'busybox', 'sleep', '1000']);
      await daemon.ok(['exec', 'propagates', 'mount', '-t', 'tmpfs', 'x', '/s/out']);
      mount('tmpfs', join(shared, 'in'), 'tmpfs');
      const inside = await daemon.ok(['exec', 'propagates', 'cat', '/proc/mounts']);
      expect([mode, statSync(join(shared, 'out')).dev !== statSync(shared).dev, inside.includes(' /s/in ')]).toEqual([mode, outward, inward]);
      umount(join(shared, 'in'));
      await daemon.ok(['rm', '-f', 'propagates']);
      if (outward) umount(join(shared, 'out'));
    }
  } finally {
    umount(shared, 2);
  }
  expect(await refusal(['-v', `${folder('private')}:/v:rshared`])).toContain('is not a shared mount');
  expect(await refusal(['--mount', `type=bind,src=${folder('private')},dst=/v,bind-propagation=rslave`])).toContain('shared or slave mount');
});

test('SELinux marks mean nothing where SELinux is off, and never touch the system\'s directories', async () => {
  const data = folder('labelled', { f: 'x' });
  expect(await run(['-v', `${data}:/v:z,ro`], 'cat /v/f')).toEqual(['x']);
  for (const path of ['/', '/usr', '/usr/bin', '/etc', '/tmp', '/home', '/run', '/var', '/root']) {
    expect(await refusal(['-v', `${path}:/v:Z`])).toContain(`SELinux relabeling of ${path} is not allowed`);
  }
});

test('links in a volume or an image lead nowhere outside', async () => {
  const secret = folder('secret', { key: 'secret' });
  await daemon.ok(['volume', 'create', 'trap']);
  const data = await daemon.ok(['volume', 'inspect', '-f', '{{.Mountpoint}}', 'trap']);
  symlinkSync(secret, join(data, 'absolute'));
  symlinkSync(`${'../'.repeat(12)}${secret.slice(1)}`, join(data, 'relative'));
  for (const name of ['absolute', 'relative']) {
    expect(await refusal(['--mount', `type=volume,src=trap,dst=/t,volume-subpath=${name}`])).toContain(`Cannot access subpath ${name}`);
  }
  expect(await refusal(['--mount', 'type=volume,src=trap,dst=/t,volume-subpath=a/../../x'])).toContain('relative path within the volume');
  await daemon.ok(['volume', 'rm', 'trap']);
  // A target in the image that is a link: it is followed within the image alone, by the mount and by what fills the volume.
  const script = `mkdir -p ${secret}; echo image > ${secret}/own; ln -s ../../../../..${secret} /evil`;
  await daemon.ok(['run', '--name', 'linker', 'busybox', 'sh', '-c', script]);
  await daemon.ok(['commit', 'linker', 'evil']);
  await daemon.ok(['rm', 'linker']);
  const { stdout } = await daemon.isula(['run', '--rm', '-v', 'filled:/evil', 'evil', 'sh', '-c', 'ls -A /evil/; echo x > /evil/written; echo done']);
  expect(stdout).toBe('own\ndone\n');
  expect(readdirSync(secret)).toEqual(['key']);
  await daemon.ok(['volume', 'rm', 'filled']);
  await daemon.ok(['rmi', 'evil']);
  rmSync(secret, { recursive: true });
});
