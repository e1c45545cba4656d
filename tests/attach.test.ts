import { afterEach, expect, test } from 'bun:test';
import { readFileSync, readlinkSync } from 'node:fs';
import { at, Background, runCommand, useDaemon, waitUntil } from './harness/index.ts';

const daemon = useDaemon();
afterEach(() => daemon.removeAll());

const detachKeys = '\x10\x11';

/** Changes the size of the terminal that a command of ours runs on, as a window manager does: its foreground process gets SIGWINCH. */
async function resize(terminal: Background, rows: number, cols: number): Promise<void> {
  const [client] = readFileSync(`/proc/${terminal.pid}/task/${terminal.pid}/children`, 'utf8').trim().split(' ');
  const device = readlinkSync(`/proc/${client}/fd/0`);
  expect(device).toStartWith('/dev/pts/');
  expect((await runCommand(['stty', '-F', device, 'rows', String(rows), 'cols', String(cols)])).code).toBe(0);
}

async function status(name: string): Promise<unknown> {
  return at((await daemon.http('GET', `/containers/${name}/json`)).json(), 'State', 'Status');
}

async function hasLogged(name: string, text: string): Promise<void> {
  await waitUntil(`${name} to log ${text}`, async () => (await daemon.isula(['logs', name])).stdout.includes(text));
}

test('the prompt is there at once; the size follows the window; ctrl-p ctrl-q leaves the shell running', async () => {
  await daemon.ok(['run', '-itd', '--name', 'shell', 'busybox', 'sh']);
  for (const rows of [31, 41]) {
    using terminal = daemon.terminal(['attach', 'shell'], { rows, cols: 100 });
    await terminal.waitFor('# ');
    terminal.write(`until stty size | grep "^${rows} 100"; do sleep 0.05; done\n`);
    await terminal.waitFor(`\n${rows} 100`);
    await resize(terminal, rows + 1, 90);
    terminal.write(`until stty size | grep "^${rows + 1} 90"; do sleep 0.05; done\n`);
    await terminal.waitFor(`\n${rows + 1} 90`);
    terminal.write(detachKeys);
    expect(await terminal.end()).toBe(0);
    expect(terminal.stdout).toContain('read escape sequence');
  }
  expect(await status('shell')).toBe('running');
});

test('run -it and exec -it follow the window too', async () => {
  using run = daemon.terminal(['run', '-it', '--name', 'winch', 'busybox', 'sh'], { rows: 20, cols: 70 });
  await run.waitFor('# ');
  await resize(run, 22, 72);
  run.write('until stty size | grep "^22 72"; do sleep 0.05; done\n');
  await run.waitFor('\n22 72');
  using exec = daemon.terminal(['exec', '-it', 'winch', 'sh'], { rows: 20, cols: 70 });
  await exec.waitFor('# ');
  exec.write('until stty size | grep "^20 70"; do sleep 0.05; done\n');
  await exec.waitFor('\n20 70');
  await resize(exec, 24, 74);
  exec.write('until stty size | grep "^24 74"; do sleep 0.05; done\n');
  await exec.waitFor('\n24 74');
  // Detaching from an exec leaves it and the container alone.
  exec.write(detachKeys);
  expect(await exec.end()).toBe(0);
  run.write('exit 8\n');
  expect(await run.end()).toBe(8);
});

test('keys of one\'s own, the first key alone is input, and what is no key is refused', async () => {
  await daemon.ok(['run', '-itd', '--name', 'keys', 'busybox', 'sh']);
  using terminal = daemon.terminal(['attach', '--detach-keys', 'ctrl-a,x', 'keys']);
  await terminal.waitFor('# ');
  // \x01 moves the cursor to the line's begin: the x before it is typed in front of what stands there.
  terminal.write('cho hello\x01e\n');
  await terminal.waitFor('\nhello');
  terminal.write('\x01x');
  expect(await terminal.end()).toBe(0);
  expect(await status('keys')).toBe('running');
  using refused = daemon.terminal(['attach', '--detach-keys', 'ctrl-ä', 'keys']);
  expect(await refused.end()).toBe(1);
  expect(refused.stdout).toContain('ctrl-ä');
  expect((await daemon.http('POST', '/containers/keys/attach?stream=1&stdout=1&detachKeys=ctrl-%C3%A4')).status).toBe(400);
});

test('several clients see the same terminal; each may leave', async () => {
  await daemon.ok(['run', '-itd', '--name', 'shared', 'busybox', 'sh']);
  using first = daemon.terminal(['attach', 'shared']);
  await first.waitFor('# ');
  using second = daemon.terminal(['attach', 'shared']);
  await second.waitFor('# ');
  first.write('echo from-$((40+2))\n');
  await Promise.all([first.waitFor('from-42'), second.waitFor('from-42')]);
  first.write(detachKeys);
  expect(await first.end()).toBe(0);
  second.write('echo still-$((40+3)); exit 5\n');
  await second.waitFor('still-43');
  expect(await second.end()).toBe(5);
});

test('without a terminal: outputs apart, input to the end, the exit status', async () => {
  // Created with -i and without -d: its input ends with the first client's (docker's StdinOnce).
  const script = 'while read line; do echo "got $line"; echo "err $line" >&2; done; exit 6';
  await daemon.ok(['create', '-i', '--name', 'pipe', 'busybox', 'sh', '-c', script]);
  await daemon.ok(['start', 'pipe']);
  using client = daemon.background(['attach', 'pipe']);
  client.write('one\n');
  await client.waitFor('got one');
  client.write('two\n');
  client.closeInput();
  expect(await client.end()).toBe(6);
  expect([client.stdout, client.stderr]).toEqual(['got one\ngot two\n', 'err one\nerr two\n']);
  await hasLogged('pipe', 'got two');
});

test('--no-stdin only looks; a client that is killed takes nothing with it', async () => {
  await daemon.ok(['run', '-di', '--name', 'looked', 'busybox', 'sh', '-c', 'while read line; do echo "got $line"; done; exit 4']);
  using looker = daemon.background(['attach', '--no-stdin', 'looked']);
  looker.write('unseen\n');
  using writer = daemon.background(['attach', 'looked']);
  // Until both are there: the first line that both see.
  await waitUntil('both clients', async () => {
    writer.write('ping\n');
    await Bun.sleep(20);
    return looker.stdout.includes('ping') && writer.stdout.includes('ping');
  });
  expect(looker.stdout).not.toContain('unseen');
  looker.kill('SIGKILL');
  await looker.end();
  writer.write('last\n');
  await writer.waitFor('got last');
  // Started with -d: its input outlives its clients.
  writer.closeInput();
  using next = daemon.background(['attach', 'looked']);
  await waitUntil('the next client', async () => {
    next.write('more\n');
    await Bun.sleep(20);
    return next.stdout.includes('got more');
  });
  await daemon.ok(['kill', 'looked']);
  expect([await writer.end(), await next.end()]).toEqual([137, 137]);
});

test('signals go to the process, unless --sig-proxy=false', async () => {
  const script = 'trap "echo got-term" TERM; trap "echo got-usr1" USR1; echo ready; while :; do sleep 0.05; done';
  await daemon.ok(['run', '-d', '--name', 'sig', 'busybox', 'sh', '-c', script]);
  await hasLogged('sig', 'ready');
  using client = daemon.background(['attach', 'sig']);
  const attached = ['events', '-n', 'sig', '--since', '10m', '--until', '0s', '--format', '{{.Action}}'];
  const attaches = async () => (await daemon.ok(attached)).split('\n').filter((action) => action === 'attach').length;
  await waitUntil('the attach', async () => (await attaches()) === 1);
  await waitUntil('the passed signal', async () => {
    client.kill('SIGUSR1');
    await Bun.sleep(50);
    return client.stdout.includes('got-usr1');
  });
  client.kill('SIGTERM');
  await client.waitFor('got-term');
  using deaf = daemon.background(['attach', '--sig-proxy=false', 'sig']);
  await waitUntil('the second attach', async () => (await attaches()) === 2);
  deaf.kill('SIGTERM');
  expect(await deaf.end()).not.toBe(0);
  expect(await status('sig')).toBe('running');
});

test('what cannot be attached to', async () => {
  await daemon.ok(['create', '--name', 'fresh', 'busybox', 'true']);
  await daemon.ok(['run', '--name', 'over', 'busybox', 'true']);
  for (const [name, message] of [['fresh', 'stopped container'], ['over', 'stopped container'], ['nosuch', 'No such container: nosuch']] as const) {
    const result = await daemon.isula(['attach', name]);
    expect([name, result.code, result.stderr]).toEqual([name, 1, expect.stringContaining(message)]);
  }
});

test('attach goes on after a crash of the daemon', async () => {
  await daemon.ok(['run', '-itd', '--name', 'survivor', 'busybox', 'sh']);
  using before = daemon.terminal(['attach', 'survivor']);
  await before.waitFor('# ');
  await daemon.kill();
  expect(await before.end()).not.toBe(0);
  await daemon.start();
  using after = daemon.terminal(['attach', 'survivor']);
  await after.waitFor('# ');
  after.write('echo alive-$((1+1)); exit 7\n');
  await after.waitFor('alive-2');
  expect(await after.end()).toBe(7);
});
