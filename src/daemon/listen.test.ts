import { afterEach, beforeEach, expect, test } from 'bun:test';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { silentLogger } from '../base/index.ts';
import { loadConfig, type DaemonConfig } from './config/index.ts';
import { inheritedDescriptors, openListeners } from './listen.ts';
import { lockRoots } from './lock.ts';

let dir: string;

beforeEach(() => {
  dir = mkdtempSync('/tmp/isula-listen-');
});

afterEach(() => rmSync(dir, { recursive: true, force: true }));

function config(...flags: string[]): DaemonConfig {
  writeFileSync(join(dir, 'daemon.json'), '{}');
  return loadConfig(['--config-file', join(dir, 'daemon.json'), ...flags], {});
}

/** Answers what it read, once the client has ended its side: shows that the connection may be half-open. */
function echoAtEnd(socket: Socket): void {
  let text = '';
  socket.on('data', (chunk) => { text += String(chunk); });
  socket.on('end', () => socket.end(`got ${text}`));
  socket.on('error', () => undefined);
}

function exchange(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    socket.on('data', (chunk) => { answer += String(chunk); });
    socket.on('end', () => resolve(answer));
    socket.on('close', () => resolve(answer));
    socket.on('error', reject);
    socket.end('hello');
  });
}

test('unix and tcp hosts: mode 0660, half-open connections, the socket goes with the listener', async () => {
  const path = join(dir, 'deep', 'a.sock');
  const listeners = await openListeners(config('-H', `unix://${path}`, '-H', 'tcp://127.0.0.1:0', '-G', '0'), echoAtEnd, silentLogger);
  expect(statSync(path).mode & 0o777).toBe(0o660);
  const port = Number(/^tcp:\/\/127\.0\.0\.1:([1-9][0-9]*)$/.exec(listeners.addresses[1] ?? '')?.[1]);
  expect(await exchange(connect({ path, allowHalfOpen: true }))).toBe('got hello');
  expect(await exchange(connect({ host: '127.0.0.1', port, allowHalfOpen: true }))).toBe('got hello');
  await listeners[Symbol.asyncDispose]();
  expect(existsSync(path)).toBe(false);
});

test('a dead socket is replaced, a live one and another file are not', async () => {
  const path = join(dir, 'a.sock');
  const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  Bun.spawnSync([process.execPath, '-e', script], { env: { ...process.env, BUN_BE_BUN: '1' } });
  expect(existsSync(path)).toBe(true);
  await (await openListeners(config('-H', `unix://${path}`), echoAtEnd, silentLogger))[Symbol.asyncDispose]();

  const other = createServer().listen(path);
  await new Promise((resolve) => other.once('listening', resolve));
  await expect(openListeners(config('-H', `unix://${path}`), echoAtEnd, silentLogger)).rejects.toThrow('another process listens there');
  other.close();
  await new Promise((resolve) => other.once('close', resolve));

  writeFileSync(path, 'precious');
  await expect(openListeners(config('-H', `unix://${path}`), echoAtEnd, silentLogger)).rejects.toThrow('is no socket');
  expect(existsSync(path)).toBe(true);
});

test('when one host fails none stays open', async () => {
  const path = join(dir, 'a.sock');
  const taken = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => taken.once('listening', resolve));
  const address = taken.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const opening = openListeners(config('-H', `unix://${path}`, '-H', `tcp://127.0.0.1:${port}`), echoAtEnd, silentLogger);
  await expect(opening).rejects.toThrow(`cannot listen on tcp://127.0.0.1:${port}`);
  await opening.catch(() => undefined);
  expect(existsSync(path)).toBe(false);
  taken.close();
});

test('an unknown group is refused when it was asked for', async () => {
  const opening = openListeners(config('-H', `unix://${join(dir, 'a')}`, '-G', 'nosuchgroup'), echoAtEnd, silentLogger);
  await expect(opening).rejects.toThrow('"nosuchgroup"');
});

test('TLS on tcp hosts: clients without a certificate are turned away under --tlsverify', async () => {
  const run = (command: string) => expect(Bun.spawnSync(['sh', '-c', command], { cwd: dir, stderr: 'ignore' }).exitCode).toBe(0);
  run('openssl req -x509 -newkey rsa:2048 -nodes -keyout ca-key.pem -out ca.pem -days 2 -subj /CN=ca');
  run('openssl req -newkey rsa:2048 -nodes -keyout key.pem -out csr.pem -subj /CN=localhost');
  run('printf subjectAltName=IP:127.0.0.1 > ext');
  run('openssl x509 -req -in csr.pem -CA ca.pem -CAkey ca-key.pem -CAcreateserial -out cert.pem -days 2 -extfile ext');
  const file = (name: string) => join(dir, name);
  const flags = ['-H', 'tcp://127.0.0.1:0', '--tlsverify', '--tlscacert', file('ca.pem'), '--tlscert', file('cert.pem'), '--tlskey', file('key.pem')];
  await using listeners = await openListeners(config(...flags), echoAtEnd, silentLogger);
  const port = Number(listeners.addresses[0]?.split(':').at(-1));
  const ca = await Bun.file(file('ca.pem')).text();
  const cert = await Bun.file(file('cert.pem')).text();
  const key = await Bun.file(file('key.pem')).text();
  const target = { host: '127.0.0.1', port, ca, allowHalfOpen: true };
  expect(await exchange(connectTls({ ...target, cert, key }))).toBe('got hello');
  // A client that speaks both gets the Docker API's HTTP/1.1; gRPC clients offer HTTP/2 alone.
  for (const [offered, chosen] of [[['h2', 'http/1.1'], 'http/1.1'], [['h2'], 'h2']] as const) {
    const socket = connectTls({ ...target, cert, key, ALPNProtocols: [...offered] });
    await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
    expect(socket.alpnProtocol).toBe(chosen);
    socket.destroy();
  }
  expect(await exchange(connectTls(target)).catch(() => '')).toBe('');
  expect(await exchange(connect({ host: '127.0.0.1', port, allowHalfOpen: true })).catch(() => '')).not.toContain('got');
}, 60_000);

test('a second daemon on a root, or on the pid file, is refused and told why', () => {
  const flags = (name: string) => ['-g', join(dir, name, 'graph'), '-S', join(dir, name, 'state'), '-p', join(dir, name, 'pid')];
  const first = lockRoots(config(...flags('a')));
  expect(() => lockRoots(config(...flags('a')))).toThrow(`pid file ${join(dir, 'a/pid')} is in use by process ${process.pid}`);
  const [, , ...rest] = flags('b');
  const graph = join(dir, 'a/graph');
  expect(() => lockRoots(config('-g', graph, ...rest))).toThrow(`graph root ${graph} is in use by process ${process.pid}`);
  expect(() => lockRoots(config(...flags('b').slice(0, 2), '-S', join(dir, 'a/state'), '-p', join(dir, 'b/pid')))).toThrow('state root');
  first[Symbol.dispose]();
  expect(statSync(join(dir, 'a/pid')).size).toBe(0);
  lockRoots(config(...flags('a')))[Symbol.dispose]();
});

test('a root that other users may change is refused, and so is a link for a lock file', () => {
  const flags = ['-g', join(dir, 'graph'), '-S', join(dir, 'state'), '-p', join(dir, 'pid')];
  mkdirSync(join(dir, 'graph'));
  chmodSync(join(dir, 'graph'), 0o777);
  expect(() => lockRoots(config(...flags))).toThrow('may be written by others (mode 777)');
  chmodSync(join(dir, 'graph'), 0o755);
  mkdirSync(join(dir, 'state'));
  chownSync(join(dir, 'state'), 1000, 1000);
  expect(() => lockRoots(config(...flags))).toThrow('belongs to user 1000');
  chownSync(join(dir, 'state'), 0, 0);
  rmSync(join(dir, 'pid'), { force: true });
  symlinkSync(join(dir, 'victim'), join(dir, 'pid'));
  expect(() => lockRoots(config(...flags))).toThrow('ELOOP');
  expect(existsSync(join(dir, 'victim'))).toBe(false);
});

test('temporary files of an earlier run are removed', () => {
  const flags = ['-g', join(dir, 'graph'), '-S', join(dir, 'state'), '-p', join(dir, 'pid')];
  lockRoots(config(...flags))[Symbol.dispose]();
  const left = join(dir, 'graph/isulad_tmpdir/left');
  writeFileSync(left, '');
  chmodSync(left, 0);
  lockRoots(config(...flags))[Symbol.dispose]();
  expect(existsSync(left)).toBe(false);
});

test('descriptors of systemd are taken only when they are meant for this process', () => {
  expect(inheritedDescriptors({ LISTEN_PID: '42', LISTEN_FDS: '2' }, 42)).toEqual([3, 4]);
  for (const env of [{}, { LISTEN_PID: '41', LISTEN_FDS: '2' }, { LISTEN_PID: '42', LISTEN_FDS: 'x' }, { LISTEN_PID: '42', LISTEN_FDS: '11' }]) {
    expect(inheritedDescriptors(env, 42)).toEqual([]);
  }
});
