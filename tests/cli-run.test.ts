import { expect, test } from 'bun:test';
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { useDaemon } from './harness/index.ts';

const daemon = useDaemon();
const run = ['run', '--rm', '--net', 'none'];

test('exit statuses: the container\'s own, 125, 126, 127', async () => {
  const table: [string[], number, string][] = [
    [[...run, 'busybox', 'sh', '-c', 'exit 7'], 7, ''],
    [[...run, 'busybox', 'no-such-command'], 127, 'executable file not found'],
    [[...run, 'busybox', '/etc/passwd'], 126, 'isula: Error response from daemon: '],
    // Guide 1.3.1.3: an entry point that is not there is 125.
    [[...run, '--entrypoint', '/no-such-entrypoint', 'busybox'], 125, 'no such file or directory'],
    [[...run, '--pull', 'never', 'nosuchimage'], 125, 'No such image'],
    [[...run, '--no-such-flag', 'busybox'], 125, "unknown flag: --no-such-flag\nSee 'isula run --help'.\n"],
    [[...run, '--memory', '1', 'busybox'], 125, '4MB'],
    [['run'], 1, '"isula run" requires at least 1 argument.'],
    [['nosuch'], 1, "isula: 'nosuch' is not an isula command."],
    [['exec', 'nosuch', 'true'], 1, 'No such container: nosuch'],
  ];
  for (const [args, code, message] of table) {
    const result = await daemon.isula(args);
    expect([args, result.code]).toEqual([args, code]);
    expect(result.stderr).toContain(message);
  }
  // --rm holds for those that could not start as well.
  expect(await daemon.ok(['ps', '-aq'])).toBe('');
});

test('input ends, is binary, and both outputs keep apart', async () => {
  const shell = await daemon.isula([...run, '-i', 'busybox', 'sh'], { input: 'echo out; echo err >&2; exit 3\n' });
  expect([shell.code, shell.stdout, shell.stderr]).toEqual([3, 'out\n', 'err\n']);
  const bytes = new Uint8Array(randomBytes(3_000_000));
  const copy = await daemon.isula([...run, '-i', 'busybox', 'cat'], { input: bytes });
  expect(Bun.hash(copy.bytes)).toBe(Bun.hash(bytes));
  await daemon.ok(['run', '-d', '--name', 'input', '--net', 'none', 'busybox', 'sleep', '1000']);
  const exec = await daemon.isula(['exec', '-i', 'input', 'cat'], { input: bytes });
  expect(Bun.hash(exec.bytes)).toBe(Bun.hash(bytes));
  expect(await daemon.ok(['exec', '-i', 'input', 'wc', '-c'], { input: bytes })).toBe('3000000');
  expect((await daemon.isula(['exec', 'input', 'sh', '-c', 'exit 5'])).code).toBe(5);
  expect((await daemon.isula(['exec', 'input', 'no-such-command'])).code).toBe(127);
  expect(await daemon.ok(['exec', '-e', 'A=b', '-w', '/tmp', '-u', '1:1', 'input', 'sh', '-c', 'echo $A $PWD $(id -u):$(id -g)'])).toBe('b /tmp 1:1');
  await daemon.ok(['rm', '-f', 'input']);
});

test('a terminal: size, detaching, attaching, the exit status', async () => {
  using terminal = daemon.terminal(['run', '-it', '--name', 'terminal', '--net', 'none', 'busybox', 'sh'], { rows: 33, cols: 111 });
  await terminal.waitFor('# ');
  // The size is set at the start, a moment after the shell's prompt.
  terminal.write('until stty size | grep 111; do :; done\n');
  await terminal.waitFor('33 111');
  terminal.write('\x10\x11');
  expect(await terminal.end()).toBe(0);
  expect(terminal.stdout).toContain('read escape sequence');
  expect(await daemon.ok(['inspect', '-f', '{{.State.Status}}', 'terminal'])).toBe('running');
  using again = daemon.terminal(['attach', 'terminal']);
  // The prompt comes without a key being pressed.
  await again.waitFor('# ');
  again.write('echo at$((1+1))\n');
  await again.waitFor('at2');
  again.write('exit 9\n');
  expect(await again.end()).toBe(9);
  await daemon.ok(['rm', 'terminal']);
});

test('exec without flags is -it at a terminal (guide 1.3.1.9)', async () => {
  await daemon.ok(['run', '-d', '--name', 'implied', '--net', 'none', 'busybox', 'sleep', '1000']);
  using terminal = daemon.terminal(['exec', 'implied', 'sh']);
  await terminal.waitFor('# ');
  terminal.write('tty; exit 4\n');
  expect(await terminal.end()).toBe(4);
  expect(terminal.stdout).toContain('/dev/pts/');
  expect((await daemon.isula(['exec', 'implied', 'tty'])).stdout).toContain('not a tty');
  const refused = await daemon.isula(['exec', '-it', 'implied', 'sh']);
  expect([refused.code, refused.stderr]).toEqual([1, 'the input device is not a TTY\n']);
  await daemon.ok(['rm', '-f', 'implied']);
});

test('signals are passed on', async () => {
  using client = daemon.background([...run, 'busybox', 'sh', '-c', 'trap "echo got; exit 42" INT; echo up; while :; do sleep 0.05; done']);
  await client.waitFor('up');
  client.kill('SIGINT');
  expect(await client.end()).toBe(42);
  expect(client.stdout).toBe('up\ngot\n');
});

test('--cidfile, --env-file, -e, -d, and the rules of 1.2.3.3', async () => {
  const cidfile = join(daemon.dir, 'cid');
  const envFile = join(daemon.dir, 'env');
  writeFileSync(envFile, '# comment\nFROM_FILE=1\nCALLER\n');
  const args = [...run, '--env-file', envFile, '-e', 'CALLER2', '-du=0', '--cidfile', cidfile, 'busybox', 'sleep', '1000'];
  const id = await daemon.ok(args, { env: { CALLER: 'a', CALLER2: 'b' } });
  expect(readFileSync(cidfile, 'utf8')).toBe(id);
  const env = await daemon.ok(['exec', id, 'env']);
  for (const line of ['FROM_FILE=1', 'CALLER=a', 'CALLER2=b']) expect(env).toContain(line);
  expect((await daemon.isula(args)).stderr).toContain('container ID file found');
  expect((await daemon.isula([...run, '-du:root', 'busybox'])).stderr).toStartWith("unknown shorthand flag: ':' in -du:root");
  await daemon.ok(['rm', '-f', id]);
});

test('start -a shows the output and gives the status', async () => {
  await daemon.ok(['create', '--name', 'again', '--net', 'none', 'busybox', 'sh', '-c', 'echo hello; exit 6']);
  const result = await daemon.isula(['start', '-a', 'again']);
  expect([result.code, result.stdout]).toEqual([6, 'hello\n']);
  expect(await daemon.ok(['wait', 'again'])).toBe('6');
  expect(await daemon.ok(['logs', 'again'])).toBe('hello');
  await daemon.ok(['rm', 'again']);
});

test('an unreachable daemon is named as such', async () => {
  const result = await daemon.isula(['-H', 'unix:///nonexistent.sock', 'ps']);
  expect([result.code, result.stderr]).toEqual([1, 'Can not connect with server. Is the iSulad daemon running on the host?\n']);
  const version = await daemon.isula(['version', '-H=unix:///nonexistent.sock']);
  expect([version.code, version.stdout]).toEqual([1, expect.stringContaining('Client:')]);
});
