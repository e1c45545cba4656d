import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { at, dockerClients, runCommand, useDaemon } from './harness/index.ts';

const daemon = useDaemon();
const sleeper = ['busybox', 'sh', '-c', 'trap exit TERM; while :; do sleep 0.05; done'];
let dir = '';

beforeAll(() => {
  dir = mkdtempSync('/tmp/isula-commit-');
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

async function image(name: string): Promise<unknown> {
  return (await daemon.http('GET', `/images/${name}/json`)).json();
}

async function rows(name: string): Promise<unknown[]> {
  const list = (await daemon.http('GET', `/images/${name}/history`)).json();
  return Array.isArray(list) ? list : [];
}

test('diff shows what the container changed, and nothing that the engine made', async () => {
  await daemon.ok(['run', '-d', '--name', 'c1', '-e', 'KEPT=yes', ...sleeper]);
  expect(await daemon.ok(['diff', 'c1'])).toBe('');
  const change = 'mkdir /new; echo 1 >/new/file; rm /etc/shadow; chmod 700 /etc/group; rm -r /home; mkdir /home; echo 2 >/home/x';
  await daemon.ok(['exec', 'c1', 'sh', '-c', change]);
  expect((await daemon.ok(['diff', 'c1'])).split('\n')).toEqual([
    'C /etc', 'C /etc/group', 'D /etc/shadow', 'C /home', 'D /home/user', 'A /home/x', 'A /new', 'A /new/file',
  ]);
  expect((await daemon.isula(['diff', 'absent'])).stderr).toContain('No such container: absent');
});

test('commit makes an image of it: message, author, changes, configuration', async () => {
  const changes = ['CMD ["cat","/new/file"]', 'ENV ADDED=1', 'LABEL made=here', 'WORKDIR /new', 'USER user', 'EXPOSE 80', 'VOLUME /vol'];
  const id = await daemon.ok(['commit', '-a', 'A. Uthor', '-m', 'what it is', ...changes.flatMap((one) => ['-c', one]), 'c1', 'made:v1']);
  expect(id).toMatch(/^sha256:[0-9a-f]{64}$/);
  const made = await image('made:v1');
  expect([at(made, 'Id'), at(made, 'Author'), at(made, 'Comment')]).toEqual([id, 'A. Uthor', 'what it is']);
  const config = at(made, 'Config');
  expect(at(config, 'Env')).toEqual(expect.arrayContaining(['KEPT=yes', 'ADDED=1']));
  expect([at(config, 'Cmd'), at(config, 'WorkingDir'), at(config, 'User')]).toEqual([['cat', '/new/file'], '/new', 'user']);
  expect([at(config, 'Labels', 'made'), at(config, 'ExposedPorts'), at(config, 'Volumes')]).toEqual(['here', { '80/tcp': {} }, { '/vol': {} }]);
  const history = await rows('made:v1');
  expect([history.length, at(history[0], 'Comment'), at(history[0], 'Id'), at(history[1], 'Id')]).toEqual([
    2, 'what it is', id, at(await image('busybox'), 'Id'),
  ]);
  const sum = history.reduce((total: number, row) => total + Number(at(row, 'Size')), 0);
  expect(sum).toBe(Number(at(made, 'Size')));
  // The new file belongs to root and has the umask of the guide: the user of the image may not read it.
  expect(await daemon.ok(['run', '--rm', '-u', '0', 'made:v1'])).toBe('1');
  const look = 'ls /home; ls -d /etc/shadow /home/user 2>&1 | wc -l; stat -c %a /etc/group';
  expect(await daemon.ok(['run', '--rm', '-u', '0', 'made:v1', 'sh', '-c', look])).toBe('x\n2\n700');
});

test('a committed image has no file that only the run needed, and saves to what umoci and skopeo take', async () => {
  const path = join(dir, 'made.tar');
  await daemon.ok(['save', '-o', path, 'made:v1']);
  const copied = await runCommand(['skopeo', '--insecure-policy', 'copy', `docker-archive:${path}`, `oci:${dir}/oci:v1`]);
  expect([copied.code, copied.stderr]).toEqual([0, '']);
  const unpacked = await runCommand(['umoci', 'unpack', '--image', `${dir}/oci:v1`, `${dir}/bundle`]);
  expect(unpacked.code).toBe(0);
  const { stdout } = await runCommand(['sh', '-c', `cd ${dir}/bundle/rootfs && ls etc home new && cat new/file`]);
  expect(stdout).toBe('etc:\ngroup\npasswd\n\nhome:\nx\n\nnew:\nfile\n1\n');
});

test('commit with and without pause, of stopped containers, without a name, and refused', async () => {
  await daemon.ok(['commit', '-p=false', 'c1', 'made:running']);
  await daemon.ok(['pause', 'c1']);
  await daemon.ok(['commit', 'c1', 'made:paused']);
  expect(at((await daemon.http('GET', '/containers/c1/json')).json(), 'State', 'Status')).toBe('paused');
  await daemon.ok(['unpause', 'c1']);
  expect(await daemon.ok(['exec', 'c1', 'echo', 'hi'])).toBe('hi');
  await daemon.ok(['stop', '-t', '0', 'c1']);
  const bare = await daemon.ok(['commit', 'c1']);
  expect([at(await image(bare), 'RepoTags'), at(await image('made:running'), 'RepoTags')]).toEqual([[], ['made:running']]);
  expect((await daemon.isula(['commit', 'c1', 'UPPER:case'])).stderr).toContain('must be lowercase');
  expect((await daemon.isula(['commit', '-c', 'RUN false', 'c1', 'x:y'])).stderr).toContain('RUN');
  expect((await daemon.isula(['commit', 'absent', 'x:y'])).stderr).toContain('No such container: absent');
});

test('an image removed by force under a stopped container: no commit, and its layers go with the container', async () => {
  await daemon.ok(['create', '--name', 'last', 'made:v1']);
  await daemon.ok(['rmi', '-f', 'made:v1']);
  expect((await daemon.isula(['commit', 'last', 'x:y'])).stderr).toContain('its image');
  expect((await daemon.isula(['start', 'last'])).code).toBe(0);
  await daemon.ok(['rm', '-f', 'last']);
  expect(await daemon.ok(['system', 'check', '--content'])).toBe('No problems found');
});

test('export gives the whole root, which imports again; running, stopped and never started', async () => {
  await daemon.ok(['start', 'c1']);
  for (const step of [[], ['stop', '-t', '0', 'c1']]) {
    if (step.length > 0) await daemon.ok(step);
    const path = join(dir, `root-${step.length}.tar`);
    await daemon.ok(['export', '-o', path, 'c1']);
    const { stdout } = await runCommand(['tar', 'tf', path]);
    expect(stdout.split('\n')).toEqual(expect.arrayContaining(['new/file', 'home/x', 'bin/busybox', 'bin/sh', 'etc/passwd', 'proc/']));
    expect(stdout).not.toContain('etc/shadow');
    await daemon.ok(['import', '-c', 'CMD ["cat","/new/file"]', '-m', 'again', path, `again:v${step.length}`]);
    expect(await daemon.ok(['run', '--rm', `again:v${step.length}`])).toBe('1');
  }
  await daemon.ok(['create', '--name', 'fresh', '-v', '/tmp:/mnt', 'busybox', 'true']);
  const { bytes } = await daemon.isula(['export', 'fresh']);
  expect((await runCommand(['tar', 't'], { input: Uint8Array.from(bytes) })).stdout).toContain('bin/busybox\n');
});

test.skipIf(dockerClients().length === 0)('docker\'s command line commits, diffs and exports', async () => {
  for (const client of dockerClients()) {
    const committed = await daemon.docker(['commit', '-m', 'by docker', 'c1', 'bydocker:1'], { client });
    expect([committed.code, committed.stderr]).toEqual([0, '']);
    expect((await daemon.docker(['diff', 'c1'], { client })).stdout).toContain('A /new/file\n');
    const out = join(dir, 'docker.tar');
    expect((await daemon.docker(['export', '-o', out, 'c1'], { client })).code).toBe(0);
    expect((await runCommand(['tar', 'tf', out])).stdout).toContain('new/file\n');
    expect((await daemon.docker(['history', 'bydocker:1'], { client })).stdout).toContain('by docker');
  }
});
