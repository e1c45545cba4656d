import { expect, test } from 'bun:test';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { at, useDaemon, waitUntil } from './harness/index.ts';

const daemon = useDaemon();

/** Output lines of a container of busybox. */
async function lines(options: readonly string[], script: string, env: Record<string, string> = {}): Promise<string[]> {
  return (await daemon.ok(['run', '--rm', ...options, 'busybox', 'sh', '-c', script], { env })).split('\n');
}

test('user and groups are those of the image\'s files, and recorded', async () => {
  const table: [options: string[], id: string][] = [
    [[], 'uid=0(root) gid=0(root) groups=0(root),10(wheel)'],
    [['-u', 'user'], 'uid=1000(user) gid=1000(user) groups=10(wheel),1000(user)'],
    [['-u', '1000'], 'uid=1000(user) gid=1000(user) groups=10(wheel),1000(user)'],
    [['-u', '4711'], 'uid=4711 gid=0(root) groups=0(root)'],
    [['-u', 'user:wheel', '--group-add', '33', '--group-add', 'daemon'], 'uid=1000(user) gid=10(wheel) groups=1(daemon),10(wheel),33'],
    [['-u', '7:8'], 'uid=7 gid=8 groups=8'],
  ];
  for (const [options, id] of table) expect([options, await lines(options, 'id')]).toEqual([options, [id]]);
  // Guide 1.3.1.1: looked up at the start, whatever is mounted over the files; the result stands in a file.
  const passwd = join(daemon.dir, 'passwd');
  writeFileSync(passwd, 'user:x:5:5::/:/bin/sh\n');
  expect(await lines(['-u', 'user', '-v', `${passwd}:/etc/passwd`], 'id -u')).toEqual(['1000']);
  const id = await daemon.ok(['run', '-d', '--name', 'idle', '-u', 'user', 'busybox', 'sleep', '1000']);
  const generated: unknown = JSON.parse(readFileSync(join(daemon.graph, 'engines/lcr', id, 'start_generate_config.json'), 'utf8'));
  expect([at(generated, 'uid'), at(generated, 'gid')]).toEqual([1000, 1000]);
  expect(await daemon.ok(['exec', 'idle', 'id', '-u'])).toBe('1000');
  await daemon.ok(['rm', '-f', 'idle']);
  for (const [option, kind] of [['-u', 'user'], ['--group-add', 'group']] as const) {
    const { code, stderr } = await daemon.isula(['run', '--rm', option, 'nosuch', 'busybox', 'true']);
    expect([code, stderr]).toEqual([125, expect.stringContaining(`nable to find ${kind} nosuch`)]);
  }
});

test('a passwd that is a link out of the root file system is not followed', async () => {
  await daemon.ok(['create', '--name', 'links', 'busybox', 'true']);
  const link = join(daemon.dir, 'link');
  mkdirSync(link);
  await daemon.ok(['cp', 'links:/etc/passwd', join(link, 'real')]);
  await daemon.ok(['run', '--name', 'linked', 'busybox', 'ln', '-sf', '../../../../../../etc/passwd', '/etc/passwd']);
  await daemon.ok(['commit', 'linked', 'linked']);
  // The host's users are not those of the container.
  const users = readFileSync('/etc/passwd', 'utf8').split('\n').map((line) => line.split(':')[0] ?? '');
  const host = users.find((name) => !['', 'root', 'daemon', 'nobody'].includes(name));
  const { code, stderr } = await daemon.isula(['run', '--rm', '-u', host ?? 'bin', 'linked', 'true']);
  expect([code, stderr]).toEqual([125, expect.stringMatching(/user|passwd/)]);
  await daemon.ok(['rm', 'links', 'linked']);
});

test('environment: files, precedence, the caller\'s own, the image\'s', async () => {
  const file = join(daemon.dir, 'env');
  writeFileSync(file, '# comment\n\nA=file\nB=x y=z\n  C=trimmed\nMINE\nNONE\n');
  const seen = await lines(['--env-file', file, '-e', 'A=option', '-e', 'OTHER', '-e', 'EMPTY=', '-t'], 'env', { MINE: 'mine', OTHER: 'other' });
  const env = seen.map((line) => line.trim()).toSorted();
  expect(env).toEqual([
    'A=option', 'B=x y=z', 'C=trimmed', 'EMPTY=', 'HOME=/root', 'HOSTNAME=localhost', 'MINE=mine', 'OTHER=other',
    'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'SHLVL=1', 'TERM=xterm', 'PWD=/',
  ].toSorted());
});

test('labels, annotations, umask', async () => {
  const file = join(daemon.dir, 'labels');
  writeFileSync(file, 'a=file\n# no\nb\nc=x=y\n');
  await daemon.ok(['create', '--name', 'labels', '--label-file', file, '-l', 'a=option', '--label', 'd', '--annotation', 'k=v', 'busybox']);
  expect(JSON.parse(await daemon.ok(['inspect', '-f', '{{json .Config.Labels}}', 'labels']))).toEqual({ a: 'option', b: '', c: 'x=y', d: '' });
  expect(JSON.parse(await daemon.ok(['inspect', '-f', '{{json .Config.Annotations}}', 'labels']))).toMatchObject({ k: 'v' });
  expect(await daemon.ok(['ps', '-aq', '--filter', 'label=c=x=y', '--format', '{{.Names}}'])).toBe('labels');
  expect(await lines(['--annotation', 'native.umask=normal'], 'umask')).toEqual(['0022']);
  expect(await lines(['--annotation', 'native.umask=secure'], 'umask')).toEqual(['0027']);
  expect(await lines([], 'umask')).toEqual(['0027']);
  await daemon.ok(['rm', 'labels']);
});

test('host name, domain, hosts, resolver', async () => {
  const options = ['-h', 'box.example', '--domainname', 'dom', '--add-host', 'h:9.9.9.9', '--add-host', 'six:::1', '--dns', '1.2.3.4', '--dns', '::1',
    '--dns-opt', 'ndots:3', '--dns-search', 'a.b'];
  const seen = await lines(options, 'hostname; cat /proc/sys/kernel/domainname /etc/hostname /etc/hosts /etc/resolv.conf');
  expect(seen.slice(0, 3)).toEqual(['box.example', 'dom', 'box.example']);
  expect(seen).toContain('9.9.9.9\th');
  expect(seen).toContain('::1\tsix');
  expect(seen.slice(-4)).toEqual(['nameserver 1.2.3.4', 'nameserver ::1', 'search a.b', 'options ndots:3']);
  // A mount on /etc hides none of them (docker).
  expect(await lines(['--tmpfs', '/etc', '-h', 'covered'], 'cat /etc/hostname; ls /etc')).toEqual(['covered', 'hostname', 'hosts', 'resolv.conf']);
  expect(await lines([], 'hostname')).toEqual(['localhost']);
});

test('entry point, command, working directory, read-only root', async () => {
  expect(await daemon.ok(['run', '--rm', '--entrypoint', 'echo', 'busybox', 'a', 'b'])).toBe('a b');
  expect(await lines(['-w', '/made/here'], 'pwd')).toEqual(['/made/here']);
  const seen = await lines(['--read-only', '--tmpfs', '/t:size=1m,mode=700'],
    'touch /x 2>&1; touch /t/x /dev/shm/x && stat -c %a /t; df -k /t | tail -1');
  expect(seen[0]).toContain('Read-only file system');
  expect(seen[1]).toBe('700');
  expect(seen[2]).toMatch(/^tmpfs +1024 /);
});

test('--init runs an init that reaps, --stop-signal and --stop-timeout decide how it ends', async () => {
  expect(await lines(['--init'], 'tr "\\0" " " < /proc/1/cmdline | cut -d" " -f1')).toEqual(['/sbin/docker-init']);
  const trap = 'trap "exit 42" USR1; echo ready; while :; do sleep 0.1; done';
  await daemon.ok(['run', '-d', '--name', 'usr', '--stop-signal', 'USR1', 'busybox', 'sh', '-c', trap]);
  await until('usr', 'ready');
  await daemon.ok(['stop', 'usr']);
  expect(await daemon.ok(['inspect', '-f', '{{.State.ExitCode}}', 'usr'])).toBe('42');
  await daemon.ok(['run', '-d', '--name', 'deaf', '--stop-timeout', '0', 'busybox', 'sh', '-c',
    'trap "" TERM; echo ready; while :; do sleep 0.1; done']);
  await until('deaf', 'ready');
  await daemon.ok(['stop', 'deaf']);
  expect(await daemon.ok(['inspect', '-f', '{{.State.ExitCode}}', 'deaf'])).toBe('137');
  await daemon.ok(['rm', 'usr', 'deaf']);
});

test('--cidfile, --name, --pull, --platform, --rm', async () => {
  const cidfile = join(daemon.dir, 'cid');
  const id = await daemon.ok(['create', '--cidfile', cidfile, '--name', 'one', '--platform', 'linux', '--pull', 'never', 'busybox']);
  expect(readFileSync(cidfile, 'utf8')).toBe(id);
  expect(await daemon.ok(['inspect', '-f', '{{.Name}} {{.HostConfig.ContainerIDFile}}', 'one'])).toBe(`/one ${cidfile}`);
  const second = await daemon.isula(['create', '--name', 'one', 'busybox']);
  expect([second.code, second.stderr]).toEqual([1, expect.stringContaining('already in use')]);
  // No file is left of a container that was not made.
  const unmade = join(daemon.dir, 'unmade');
  expect((await daemon.isula(['create', '--cidfile', unmade, '--name', 'one', 'busybox'])).code).toBe(1);
  expect(existsSync(unmade)).toBe(false);
  await daemon.ok(['rm', 'one']);
  const never = await daemon.isula(['run', '--rm', '--pull', 'never', 'nosuch', 'true']);
  expect([never.code, never.stderr]).toEqual([125, expect.stringContaining('No such image: nosuch')]);
  await daemon.ok(['run', '--rm', '--name', 'gone', '-v', '/anonymous', 'busybox', 'true']);
  expect([await daemon.ok(['ps', '-aq']), await daemon.ok(['volume', 'ls', '-q'])]).toEqual(['', '']);
});

test('restart policies: counted, given up, stopped by the user', async () => {
  await daemon.ok(['run', '-d', '--name', 'fails', '--restart', 'on-failure:2', 'busybox', 'false']);
  await daemon.ok(['wait', 'fails']);
  expect(await daemon.ok(['inspect', '-f', '{{.RestartCount}} {{.State.Status}} {{.State.ExitCode}}', 'fails'])).toBe('2 exited 1');
  await daemon.ok(['run', '-d', '--name', 'always', '--restart', 'always', 'busybox', 'sleep', '1000']);
  const pid = () => daemon.ok(['inspect', '-f', '{{.State.Pid}}', 'always']);
  const before = await pid();
  process.kill(Number(before), 'SIGKILL');
  await waitUntil('the policy to start it again', async () => !['0', before].includes(await pid()));
  await daemon.ok(['stop', '-t', '0', 'always']);
  expect(await daemon.ok(['inspect', '-f', '{{.State.Status}}', 'always'])).toBe('exited');
  await daemon.ok(['rm', 'fails', 'always']);
});

test('logs: none, disabled, sized and rotated', async () => {
  const noisy = ['sh', '-c', 'i=0; while [ $i -lt 300 ]; do echo 0123456789012345678901234567890123456789; i=$((i+1)); done'];
  await daemon.ok(['run', '--name', 'silent', '--log-driver', 'none', 'busybox', 'echo', 'x']);
  expect((await daemon.isula(['logs', 'silent'])).stderr).toContain('does not support reading');
  await daemon.ok(['run', '--name', 'off', '--log-opt', 'disable-log=true', 'busybox', 'echo', 'x']);
  expect(await daemon.ok(['inspect', '-f', '{{.LogPath}}', 'off'])).toBe('none');
  await daemon.ok(['run', '--name', 'small', '--log-opt', 'max-size=4k', '--log-opt', 'max-file=1', 'busybox', ...noisy]);
  const path = await daemon.ok(['inspect', '-f', '{{.LogPath}}', 'small']);
  expect(existsSync(path) && readFileSync(path).length <= 8192).toBe(true);
  await daemon.ok(['rm', 'silent', 'off', 'small']);
});

test('a kernel memory limit and health options without a command are said to have no effect', async () => {
  const { stderr } = await daemon.isula(['create', '--name', 'warned', '--kernel-memory', '32m', '--health-retries', '3', 'busybox']);
  expect(stderr).toContain('WARNING: Specifying a kernel memory limit is deprecated');
  expect(stderr).toContain('WARNING: Health options have no effect');
  await daemon.ok(['rm', 'warned']);
});

async function until(name: string, text: string): Promise<void> {
  await waitUntil(`${text} in the log of ${name}`, async () => (await daemon.ok(['logs', name])).includes(text));
}
