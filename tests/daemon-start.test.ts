import { expect, test } from 'bun:test';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dist, runCommand, useDaemon, waitUntil } from './harness/index.ts';

const daemon = useDaemon();
const isulad = join(dist, 'isulad');

test('--help and -V answer without a daemon, a configuration, or root directories', async () => {
  const help = await runCommand([isulad, '--help']);
  expect([help.code, help.stderr]).toEqual([0, '']);
  expect(help.stdout).toStartWith('isulad\n\nlightweight container runtime daemon\n\nUsage:  isulad [global options]\n\nGLOBAL OPTIONS:\n\n');
  expect(help.stdout).toContain('  -H, --host                               The socket name used to create gRPC server\n');
  const version = await runCommand([isulad, '-V']);
  expect(version.stdout).toMatch(/^Version \d+\.\d+\.\d+, commit \w+\n$/);
});

test('bad flags and files stop the start with a message', async () => {
  const dir = mkdtempSync('/tmp/isula-badconfig-');
  try {
    const file = join(dir, 'daemon.json');
    writeFileSync(file, '{"log-level": "LOUD"}');
    const fromFile = await runCommand([isulad, '--config-file', file]);
    expect([fromFile.code, fromFile.stdout]).toEqual([1, '']);
    const problem = 'invalid value "LOUD" for key "log-level": want one of FATAL';
    expect(fromFile.stderr).toStartWith(`isulad: unable to configure the isulad with file ${file}: ${problem}`);
    const unknown = await runCommand([isulad, '--nope']);
    expect([unknown.code, unknown.stderr]).toEqual([1, 'isulad: unknown flag: --nope\n']);
    writeFileSync(file, '{"group": "no-such-group"}');
    const roots = ['-g', join(dir, 'g'), '-S', join(dir, 's'), '-p', join(dir, 'pid'), '-H', `unix://${dir}/sock`];
    const group = await runCommand([isulad, '--config-file', file, ...roots]);
    expect([group.code, group.stderr]).toEqual([1, expect.stringContaining(`key "group" in ${file}): no such group`)]);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test('a second daemon on the same pid file, graph or state is refused; the first goes on', async () => {
  const refused = async (...flags: string[]) => {
    const { code, stderr } = await runCommand([isulad, ...daemon.flags, ...flags]);
    expect(code).toBe(1);
    return stderr;
  };
  expect(await refused()).toContain(`pid file ${daemon.dir}/isulad.pid is in use by process ${daemon.pid}`);
  const other = (name: string) => join(daemon.dir, `other-${name}`);
  expect(await refused('-p', other('pid'))).toContain(`graph root ${daemon.graph} is in use by process ${daemon.pid}`);
  expect(await refused('-p', other('pid'), '-g', other('graph'))).toContain(`state root ${daemon.state} is in use by process ${daemon.pid}`);
  const sameSocket = await refused('-p', other('pid'), '-g', other('graph'), '-S', other('state'));
  expect(sameSocket).toContain(`cannot listen on unix://${daemon.socket}: another process listens there`);
  expect((await daemon.http('GET', '/_ping')).text).toBe('OK');
});

test('SIGTERM stops the daemon and leaves containers alone; the next start finds them', async () => {
  const id = await daemon.ok(['run', '-d', '--net', 'none', 'busybox', 'sleep', '1000']);
  const pid = await daemon.ok(['inspect', '-f', '{{.State.Pid}}', id]);
  expect(await daemon.stop()).toBe(0);
  expect([existsSync(daemon.socket), readFileSync(join(daemon.dir, 'isulad.pid'), 'utf8')]).toEqual([false, '']);
  expect(existsSync(`/proc/${pid}`)).toBe(true);
  await daemon.start();
  expect(await daemon.ok(['inspect', '-f', '{{.State.Status}} {{.State.Pid}}', id])).toBe(`running ${pid}`);
  // A crash leaves socket, locks and pid file behind: none of them keeps the next daemon from starting.
  await daemon.kill();
  await daemon.start();
  expect(await daemon.ok(['inspect', '-f', '{{.State.Status}} {{.State.Pid}}', id])).toBe(`running ${pid}`);
  await daemon.ok(['rm', '-f', id]);
});

test('SIGHUP takes the log level anew', async () => {
  writeFileSync(join(daemon.dir, 'daemon.json'), '{"log-level": "nonsense"}');
  process.kill(daemon.pid, 'SIGHUP');
  const refusal = 'SIGHUP received, the configuration is kept as it was: unable to configure';
  await waitUntil('the refusal of a bad file', () => daemon.log.includes(refusal));
  writeFileSync(join(daemon.dir, 'daemon.json'), '{}');
  process.kill(daemon.pid, 'SIGHUP');
  await waitUntil('the new level', () => daemon.log.includes('SIGHUP received: log level is DEBUG'));
});
