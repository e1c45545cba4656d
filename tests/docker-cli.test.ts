/** The real docker command lines of this host drive isulad: each command of docker's that the API serves for containers and images. */
import { afterEach, expect, test } from 'bun:test';
import { join } from 'node:path';
import { Background, dockerClients, runCommand, useDaemon, waitUntil } from './harness/index.ts';

const daemon = useDaemon();
afterEach(() => daemon.removeAll());

for (const [number, client] of dockerClients().entries()) {
  const docker = (...args: string[]) => daemon.docker(args, { client });
  const environment = { DOCKER_HOST: `unix://${daemon.socket}`, DOCKER_CONFIG: join(daemon.dir, 'docker'), HOME: daemon.dir };
  const background = (...args: string[]) => new Background([client, ...args], environment);
  const terminal = (command: string) => {
    const line = `stty rows 30 cols 100; exec ${client} ${command}`;
    return new Background(['script', '-qefc', line, '/dev/null'], { ...environment, SHELL: '/bin/sh' });
  };
  const ok = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await docker(...args);
    if (code !== 0) throw new Error(`${client} ${args.join(' ')}: exit status ${code}: ${stderr}`);
    return stdout.trim();
  };

  test(`${client}: version and info`, async () => {
    expect(await ok('version', '--format', '{{.Server.Platform.Name}} {{.Server.Os}}')).toBe('iSula linux');
    expect(await ok('version')).toContain('Server: iSula');
    const [containers, driver, runtime] = (await ok('info', '--format', '{{.Containers}} {{.Driver}} {{.DefaultRuntime}}')).split(' ');
    expect([containers, driver, runtime]).toEqual(['0', 'overlay2', 'lcr']);
    expect(await ok('info')).toContain('Storage Driver: overlay2');
  });

  test(`${client}: run, with its exit statuses and streams`, async () => {
    expect(await ok('run', '--rm', 'busybox', 'echo', 'hi')).toBe('hi');
    const both = await docker('run', '--rm', 'busybox', 'sh', '-c', 'echo out; echo err >&2; exit 4');
    expect([both.code, both.stdout, both.stderr]).toEqual([4, 'out\n', 'err\n']);
    const shell = await daemon.docker(['run', '--rm', '-i', 'busybox', 'sh'], { client, input: 'ls /; exit 5\n' });
    expect([shell.code, shell.stdout.split('\n')[0]]).toEqual([5, 'bin']);
    const much = 'x'.repeat(2_000_000);
    expect((await daemon.docker(['run', '--rm', '-i', 'busybox', 'cat'], { client, input: much })).stdout === much).toBe(true);
    const table: [string[], number][] = [
      [['run', '--rm', 'busybox', 'no-such-command'], 127], [['run', '--rm', 'busybox', '/etc'], 126],
      [['run', '--rm', '--pull', 'never', 'nosuch'], 125],
      [['run', '--rm', '--memory', '1', 'busybox'], 125], [['run', '-d', '-p', '80:80', 'busybox', 'true'], 125],
    ];
    for (const [args, code] of table) expect([args, (await docker(...args)).code]).toEqual([args, code]);
    expect(await ok('ps', '-aq')).toBe('');
  });

  test(`${client}: a container's life`, async () => {
    const options = ['-e', 'A=b', '-l', 'k=v', '--hostname', 'myhost'];
    const id = await ok('create', '--name', 'life', ...options, 'busybox', 'sh', '-c', 'echo out; echo err >&2; exec sleep 1000');
    expect(await ok('start', 'life')).toBe('life');
    expect(await ok('ps', '--no-trunc', '--format', '{{.ID}} {{.Names}} {{.Image}} {{.State}} {{.Label "k"}}')).toBe(`${id} life busybox running v`);
    expect(await ok('ps', '-f', 'name=life', '-f', 'status=running', '-q')).toBe(id.slice(0, 12));
    const format = '{{.State.Status}} {{.Name}} {{.Config.Hostname}} {{.HostConfig.NetworkMode}}';
    expect(await ok('inspect', '-f', format, 'life')).toBe('running /life myhost none');
    const facts = ['sh', '-c', 'echo $A $C $PWD $(id -u) $(hostname)'];
    expect(await ok('exec', '-e', 'C=d', '-w', '/tmp', '-u', '1:1', 'life', ...facts)).toBe('b d /tmp 1 myhost');
    expect((await daemon.docker(['exec', '-i', 'life', 'cat'], { client, input: 'in\n' })).stdout).toBe('in\n');
    const failed = await docker('exec', 'life', 'sh', '-c', 'exit 9');
    expect([failed.code, (await docker('exec', 'life', 'no-such-command')).code]).toEqual([9, 127]);
    expect(await ok('exec', '-d', 'life', 'touch', '/made')).toBe('');
    await waitUntil('the detached exec', async () => (await docker('exec', 'life', 'ls', '/made')).code === 0);
    const logs = await docker('logs', 'life');
    expect([logs.stdout, logs.stderr]).toEqual(['out\n', 'err\n']);
    expect((await docker('logs', '-t', '--tail', '1', '--since', '1h', 'life')).stderr).toMatch(/^\d{4}-[\d:T.-]+Z err\n$/);
    expect(await ok('top', 'life')).toMatch(/^UID +PID +PPID.*\n.*sleep 1000$/);
    expect(await ok('stats', '--no-stream', '--format', '{{.Name}} {{.PIDs}}', 'life')).toBe('life 1');
    expect(await ok('pause', 'life')).toBe('life');
    expect(await ok('ps', '--format', '{{.Status}}')).toContain('(Paused)');
    expect(await ok('unpause', 'life')).toBe('life');
    expect(await ok('restart', '-t', '0', 'life')).toBe('life');
    expect(await ok('update', '--memory', '64m', '--memory-swap', '64m', 'life')).toBe('life');
    expect(await ok('rename', 'life', 'renamed')).toBe('');
    const wait = background('wait', 'renamed');
    expect(await ok('kill', '-s', 'KILL', 'renamed')).toBe('renamed');
    expect([await wait.end(), wait.stdout]).toEqual([0, '137\n']);
    expect(await ok('ps', '-a', '--format', '{{.Status}}')).toMatch(/^Exited \(137\) /);
    expect(await ok('start', 'renamed')).toBe('renamed');
    expect((await docker('rm', 'renamed')).code).toBe(1);
    expect(await ok('stop', '-t', '0', 'renamed')).toBe('renamed');
    expect(await ok('rm', '-v', 'renamed')).toBe('renamed');
    expect((await docker('inspect', 'renamed')).stderr).toMatch(/No such object: renamed/);
  });

  test(`${client}: start -a, attach, and terminals`, async () => {
    await ok('create', '--name', 'once', 'busybox', 'sh', '-c', 'echo hello; exit 3');
    const once = await docker('start', '-a', 'once');
    expect([once.code, once.stdout]).toEqual([3, 'hello\n']);
    using run = terminal('run -it --name shell busybox sh');
    await run.waitFor('# ');
    run.write('until stty size | grep "^30 100"; do sleep 0.05; done\n');
    await run.waitFor('\n30 100');
    run.write('\x10\x11');
    expect(await run.end()).toBe(0);
    using exec = terminal('exec -it shell sh');
    await exec.waitFor('# ');
    exec.write('until stty size | grep "^30 100"; do sleep 0.05; done; exit 6\n');
    expect(await exec.end()).toBe(6);
    expect(exec.stdout).toContain('\n30 100');
    using attach = terminal('attach --detach-keys ctrl-a,d shell');
    await attach.waitFor('# ');
    attach.write('echo at-$((1+1))\n');
    await attach.waitFor('at-2');
    attach.write('\x01d');
    expect(await attach.end()).not.toBe(7);
    expect(await ok('inspect', '-f', '{{.State.Status}}', 'shell')).toBe('running');
    using again = terminal('attach shell');
    await again.waitFor('# ');
    again.write('exit 7\n');
    expect(await again.end()).toBe(7);
    using signalled = background('run', '--rm', 'busybox', 'sh', '-c', 'trap "exit 42" TERM; echo up; while :; do sleep 0.05; done');
    await signalled.waitFor('up');
    signalled.kill('SIGTERM');
    expect(await signalled.end()).toBe(42);
  });

  test(`${client}: events and followed logs`, async () => {
    // The events of an earlier client's container stay.
    const name = `seen${number}`;
    using events = background('events', '--since', '1h', '-f', `container=${name}`, '--format', '{{.Action}}');
    await ok('run', '-d', '--name', name, 'busybox', 'sh', '-c', 'echo one; until [ -e /go ]; do sleep 0.05; done; echo two');
    await events.waitFor('start');
    using logs = background('logs', '-f', name);
    await logs.waitFor('one');
    await ok('exec', name, 'touch', '/go');
    expect([await logs.end(), logs.stdout]).toEqual([0, 'one\ntwo\n']);
    await events.waitFor('die');
    await ok('rm', name);
    await events.waitFor('destroy');
    const actions = events.stdout.trim().split('\n').filter((action) => !action.startsWith('exec'));
    expect(actions).toEqual(['create', 'start', 'die', 'destroy']);
  });

  test(`${client}: images`, async () => {
    const tar = join(daemon.dir, 'busybox.tar');
    expect(await ok('import', '--change', 'CMD ["echo", "imported"]', tar, 'imported:1')).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(await ok('run', '--rm', 'imported:1')).toBe('imported');
    expect(await ok('tag', 'imported:1', 'second:2')).toBe('');
    expect((await ok('images', '--format', '{{.Repository}}:{{.Tag}}')).split('\n').toSorted()).toEqual(['busybox:latest', 'imported:1', 'second:2']);
    expect(await ok('images', '-q', 'imported')).toMatch(/^[0-9a-f]{12}$/);
    expect(await ok('inspect', '-f', '{{.Config.Cmd}}', 'second:2')).toBe('[echo imported]');
    expect(await ok('history', '-q', 'second:2')).toMatch(/^[0-9a-f]{12}/);
    const saved = join(daemon.dir, 'saved.tar');
    await ok('save', '-o', saved, 'second:2');
    expect(await ok('rmi', 'second:2')).toBe('Untagged: second:2');
    expect(await ok('load', '-i', saved)).toBe('Loaded image: second:2');
    expect(await ok('rmi', 'second:2', 'imported:1')).toMatch(/Deleted: sha256:/);
    expect((await docker('rmi', 'second:2')).stderr).toContain('No such image: second:2');
    await ok('create', '--name', 'user', 'busybox', 'true');
    expect((await docker('rmi', 'busybox')).stderr).toContain('conflict');
    await runCommand(['rm', '-f', saved]);
  });

  test(`${client}: cp, diff, export, commit, volumes, prune`, async () => {
    await ok('run', '-d', '--name', 'files', '-v', 'data:/data', 'busybox', 'sleep', '1000');
    const [out, into] = [join(daemon.dir, 'out'), join(import.meta.dir, 'docker-cli.test.ts')];
    await ok('cp', into, 'files:/data/copied');
    await ok('cp', 'files:/data/copied', out);
    expect((await runCommand(['cmp', into, out])).code).toBe(0);
    await ok('exec', 'files', 'touch', '/new');
    expect((await ok('diff', 'files')).split('\n')).toContain('A /new');
    await ok('export', '-o', join(daemon.dir, 'export.tar'), 'files');
    expect((await runCommand(['tar', '-tf', join(daemon.dir, 'export.tar')])).stdout).toContain('new\n');
    expect(await ok('commit', 'files', 'committed:1')).toMatch(/^sha256:/);
    expect(await ok('run', '--rm', 'committed:1', 'ls', '/new')).toBe('/new');
    expect(await ok('volume', 'ls', '-q')).toBe('data');
    expect((await docker('volume', 'rm', 'data')).stderr).toContain('in use');
    await ok('rm', '-f', 'files');
    expect(await ok('volume', 'rm', 'data')).toBe('data');
    await ok('rmi', 'committed:1');
    await ok('create', '--name', 'stale', 'busybox', 'true');
    expect(await ok('container', 'prune', '-f')).toContain('Deleted Containers:');
    expect(await ok('network', 'ls', '--format', '{{.Name}}')).toBe('host\nnone');
    expect(await ok('system', 'df', '--format', '{{.Type}}')).toContain('Images');
  });
}
