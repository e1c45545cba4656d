import { beforeAll, expect, test } from 'bun:test';
import { statSync } from 'node:fs';
import { at, useDaemon, waitUntil } from './harness/index.ts';

const daemon = useDaemon();
const name = 'host';
let id = '';

beforeAll(async () => {
  id = await daemon.ok(['run', '-d', '--name', name, '-e', 'BASE=1', '-e', 'KEPT=2', '-w', '/var', '-u', '1000', 'busybox', 'sleep', '100000']);
});

function shell(script: string, ...flags: string[]): Promise<string> {
  return daemon.ok(['exec', ...flags, name, 'sh', '-c', script]);
}

async function execInspect(execId: unknown): Promise<unknown> {
  return (await daemon.http('GET', `/exec/${String(execId)}/json`)).json();
}

test('environment, directory and user are the container\'s unless the exec says otherwise', async () => {
  const facts = 'echo $BASE $KEPT $MORE; pwd; id -u; id -g; echo $HOME';
  expect(await shell(facts)).toBe('1 2\n/var\n1000\n1000\n/home/user');
  expect(await shell(facts, '-e', 'BASE=x', '-e', 'MORE=y', '-w', '/tmp', '-u', 'root')).toBe('x 2 y\n/tmp\n0\n0\n/root');
  expect(await shell('id -u; id -g', '-u', 'daemon:wheel')).toBe('1\n10');
  // The word that follows a short flag without a space (guide 1.2.3.3).
  expect(await shell('id -u', '-u=0')).toBe('0');
  const umask = await shell('umask');
  expect(umask).toBe('0027');
  for (const [user, message] of [['nobodyhere', 'unable to find user nobodyhere'], ['0:nogrouphere', 'unable to find group nogrouphere']] as const) {
    const refused = await daemon.isula(['exec', '-u', user, name, 'true']);
    expect([refused.code, refused.stderr]).toEqual([126, expect.stringContaining(message)]);
  }
});

test('exit statuses, and what cannot be run', async () => {
  const table: [string[], number, string][] = [
    [['sh', '-c', 'exit 42'], 42, ''],
    [['sh', '-c', 'kill -9 $$'], 137, ''],
    [['no-such-program'], 127, 'executable file not found in $PATH'],
    [['/no/such/program'], 127, 'no such file or directory'],
    [['/etc/passwd'], 126, 'permission denied'],
    [['/etc'], 126, 'is a directory'],
  ];
  for (const [command, code, message] of table) {
    const result = await daemon.isula(['exec', name, ...command]);
    expect([command, result.code, result.stderr + result.stdout]).toEqual([command, code, expect.stringContaining(message)]);
  }
  const nowhere = await daemon.isula(['exec', '-w', '/no/where', name, 'true']);
  expect(nowhere.code).toBeGreaterThan(125);
});

test('input comes from a pipe and ends with it; both outputs are apart; without -i there is none', async () => {
  const listed = await daemon.isula(['exec', '-i', name, 'sh'], { input: 'ls /\n' });
  expect([listed.code, listed.stdout.split('\n').slice(0, 2)]).toEqual([0, ['bin', 'dev']]);
  const both = await daemon.isula(['exec', name, 'sh', '-c', 'echo out; echo err >&2']);
  expect([both.stdout, both.stderr]).toEqual(['out\n', 'err\n']);
  expect(await daemon.ok(['exec', name, 'cat'], { input: 'not read' })).toBe('');
  // The end of input is one, also when more than a pipe holds is on its way back.
  const much = 'x'.repeat(300_000);
  expect(await daemon.ok(['exec', '-i', name, 'sh', '-c', 'cat; echo done'], { input: much })).toBe(`${much}done`);
});

test('a background process that keeps the output open does not hold the exec (the original hangs)', async () => {
  expect(await shell('sleep 5000 & echo started')).toBe('started');
  using terminal = daemon.terminal(['exec', '-it', name, 'sh']);
  await terminal.waitFor('$ ');
  terminal.write('sleep 5001 &\n');
  await terminal.waitFor('$ ');
  terminal.write('exit 3\n');
  expect(await terminal.end()).toBe(3);
});

test('-d returns at once; its end and status are told by events and inspect', async () => {
  expect(await daemon.ok(['exec', '-d', name, 'sh', '-c', 'until [ -e /tmp/go ]; do sleep 0.05; done; exit 5'])).toBe('');
  const running = at((await daemon.http('GET', `/containers/${name}/json`)).json(), 'ExecIDs');
  const execId = at(running, 0);
  expect(await execInspect(execId)).toMatchObject({
    Running: true, ExitCode: null, ContainerID: id, OpenStdin: false, ProcessConfig: { entrypoint: 'sh' },
  });
  await shell('touch /tmp/go');
  await waitUntil('the end of the exec', async () => at(await execInspect(execId), 'Running') === false);
  expect(await execInspect(execId)).toMatchObject({ ExitCode: 5 });
  expect(at((await daemon.http('GET', `/containers/${name}/json`)).json(), 'ExecIDs')).toBeNull();
  // One that has run cannot run again.
  expect((await daemon.http('POST', `/exec/${String(execId)}/start`, { json: { Detach: true } })).status).toBe(409);
  const failed = await daemon.isula(['exec', '-d', name, 'no-such-program']);
  expect([failed.code, failed.stderr]).toEqual([127, expect.stringContaining('not found')]);
});

test('a terminal: the size it has at the start and after a change, TERM, HOME', async () => {
  const size = await daemon.http('POST', `/containers/${name}/exec`, { json: { Cmd: ['sh'], Tty: true, AttachStdin: true, AttachStdout: true } });
  const execId = String(at(size.json(), 'Id'));
  const connection = daemon.raw([
    `POST /v1.42/exec/${execId}/start HTTP/1.1`, 'Host: d', 'Connection: Upgrade', 'Upgrade: tcp',
    'Content-Type: application/json', 'Content-Length: 40', '',
    '{"Detach":false,"Tty":true,"X":"123456"}',
  ].join('\r\n') + 'until stty size | grep "33 99"; do sleep 0.05; done; echo $TERM; exit\n');
  await waitUntil('the exec to run', async () => at(await execInspect(execId), 'Running') === true);
  expect((await daemon.http('POST', `/exec/${execId}/resize?h=33&w=99`)).status).toBe(200);
  const answer = await connection;
  expect(answer).toContain('33 99');
  expect(answer).toContain('xterm');
});

test('once the output has ended the exit code is known: docker\'s command line asks once', async () => {
  for (let round = 0; round < 20; round++) {
    const Tty = round % 2 === 0;
    const config = { Cmd: ['sh', '-c', 'exit 6'], Tty, AttachStdout: true, AttachStderr: true };
    const made = await daemon.http('POST', `/containers/${name}/exec`, { json: config });
    const execId = String(at(made.json(), 'Id'));
    await daemon.http('POST', `/exec/${execId}/start`, { json: { Detach: false, Tty } });
    expect(await execInspect(execId)).toMatchObject({ Running: false, ExitCode: 6 });
  }
});

test('--privileged: all that the daemon has', async () => {
  const capabilities = async (...flags: string[]) => /CapBnd:\s+(\S+)/.exec(await shell('cat /proc/self/status', '-u', '0', ...flags))?.[1] ?? '';
  const [plain, privileged] = [await capabilities(), await capabilities('--privileged')];
  expect(BigInt(`0x${privileged}`) & BigInt(`0x${plain}`)).toBe(BigInt(`0x${plain}`));
  expect(BigInt(`0x${privileged}`)).toBeGreaterThan(BigInt(`0x${plain}`));
});

test('nothing is given the host\'s /dev/null, which the runtime would give to the process\'s user (containers/crun#1845)', async () => {
  const host = String(statSync('/dev/null').dev);
  expect(await shell('readlink /proc/self/fd/0')).toStartWith('pipe:');
  await daemon.ok(['exec', '-d', name, 'sh', '-c', 'readlink /proc/self/fd/0 > /tmp/stdin.new; mv /tmp/stdin.new /tmp/stdin']);
  await waitUntil('the detached exec', async () => (await daemon.isula(['exec', name, 'test', '-e', '/tmp/stdin'])).code === 0);
  expect(await shell('cat /tmp/stdin')).toStartWith('pipe:');
  for (const runtime of ['crun', 'runc']) {
    const device = await daemon.ok(['run', '--rm', '--runtime', runtime, '-u', '1000', 'busybox', 'stat', '-Lc', '%d', '/proc/self/fd/0']);
    expect([runtime, device]).not.toEqual([runtime, host]);
  }
});

test('many at once', async () => {
  const outputs = await Promise.all(Array.from({ length: 12 }, (_, n) => shell(`echo number ${n}`)));
  expect(outputs).toEqual(outputs.map((_, n) => `number ${n}`));
});

test('execs end with the container; a stopped one takes none', async () => {
  await daemon.ok(['run', '-d', '--name', 'brief', 'busybox', 'sleep', '100000']);
  const exec = daemon.background(['exec', 'brief', 'sh', '-c', 'echo up; sleep 1000']);
  await exec.waitFor('up');
  await daemon.ok(['stop', '-t', '0', 'brief']);
  expect(await exec.end()).toBe(137);
  const refused = await daemon.isula(['exec', 'brief', 'true']);
  expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('is not running')]);
  expect((await daemon.http('POST', '/containers/brief/exec', { json: { Cmd: ['true'] } })).status).toBe(409);
  expect((await daemon.http('POST', '/containers/brief/exec', { json: { Cmd: [] } })).status).toBeGreaterThanOrEqual(400);
  expect((await daemon.http('POST', `/exec/${'0'.repeat(64)}/start`, { json: {} })).status).toBe(404);
  expect((await daemon.http('GET', `/exec/${'0'.repeat(64)}/json`)).status).toBe(404);
});
