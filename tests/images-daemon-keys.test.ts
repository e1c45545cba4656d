import { afterAll, beforeAll, expect, test } from 'bun:test';
import { writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { useDaemon } from './harness/index.ts';
import { sampleImage, ScriptedRegistry, serve } from './images-scripted.ts';

/** The daemon's keys for registries (guide 1.2.3, 004_ constants), each as a user sets it. */
const daemon = useDaemon({ busybox: false });
const image = sampleImage();
const stack = new AsyncDisposableStack();
let mirror: ScriptedRegistry;
let broken: ScriptedRegistry;
/** Takes connections and never says a word. */
let silent = '';
/** A proxy for http that knows every name. */
let proxy = '';
const proxied: string[] = [];

function listen(onConnection: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    onConnection(socket);
  });
  stack.defer(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return new Promise((resolve, reject) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      if (typeof address === 'object' && address !== null) resolve(`127.0.0.1:${address.port}`);
      else reject(new Error('no port'));
    });
  });
}

function passOn(socket: Socket): void {
  const [host = '', port = ''] = mirror.host.split(':');
  const onward = connect(Number(port), host);
  onward.on('error', () => socket.destroy());
  onward.pipe(socket);
  socket.on('close', () => onward.destroy());
  // A request without a body comes in one piece.
  socket.on('data', (chunk: Buffer) => {
    const head = chunk.toString('latin1');
    proxied.push(head.split('\r\n')[0] ?? '');
    // It opens no tunnels: a registry that is insecure is then asked by http.
    if (head.startsWith('CONNECT')) socket.end('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n');
    else onward.write(head.replace(/^(\S+) http:\/\/[^/]+/, '$1 '), 'latin1');
  });
}

beforeAll(async () => {
  mirror = stack.use(await ScriptedRegistry.start((asked) => serve(image, asked)));
  broken = stack.use(await ScriptedRegistry.start(() => ({ status: 404 })));
  silent = await listen(() => undefined);
  proxy = await listen(passOn);
});
afterAll(() => stack.disposeAsync());

async function restart(config: Record<string, unknown>, constants: Record<string, unknown>, env: Record<string, string> = {}): Promise<void> {
  await daemon.stop();
  writeFileSync(join(daemon.dir, 'daemon.json'), JSON.stringify(config));
  writeFileSync(join(daemon.dir, 'daemon_constants.json'), JSON.stringify(constants));
  await daemon.start(env);
}

test('mirrors: of the default host and of others, fallen through in order, and the log says which answered', async () => {
  await restart({ 'registry-mirrors': [`http://${broken.host}`, `http://${mirror.host}`, `quay.example=http://${mirror.host}`] }, {});
  await daemon.ok(['pull', 'app']);
  expect(daemon.log).toContain(`Registry mirror ${broken.host} failed for docker.io/library/app`);
  expect(daemon.log).toContain(`Registry mirror ${mirror.host} answered for docker.io/library/app`);
  await daemon.ok(['pull', 'quay.example/team/app']);
  expect(daemon.log).toContain(`Registry mirror ${mirror.host} answered for quay.example/team/app`);
  expect((await daemon.ok(['images', '-q'])).split('\n').toSorted()).toEqual(['app:latest', 'quay.example/team/app:latest']);
  // A host without a mirror is asked itself.
  expect((await daemon.isula(['pull', 'other.invalid/app'])).stderr).toContain('other.invalid');
  await daemon.ok(['rmi', 'app', 'quay.example/team/app']);
});

test('default-host is left out of names, registry-transformation says who is asked for them', async () => {
  await restart({}, { 'default-host': 'hub.example', 'registry-transformation': { 'hub.example': mirror.host } });
  await daemon.ok(['pull', 'team/app']);
  expect(await daemon.ok(['images', '-q'])).toBe('team/app:latest');
  expect(mirror.requests.at(-1)?.path).toStartWith('/v2/team/app/');
  await daemon.ok(['rmi', 'hub.example/team/app']);
});

test('image-opt-timeout ends a pull from a registry that says nothing', async () => {
  await restart({ 'image-opt-timeout': '1s' }, {});
  const { code, stderr } = await daemon.isula(['pull', `${silent}/app`]);
  expect([code, stderr]).toEqual([1, expect.stringContaining('it took longer than image-opt-timeout allows, 1 s')]);
  expect(await daemon.ok(['system', 'check'])).toBe('No problems found');
});

test('insecure-registries allow http to a named host; the proxy of the environment is used, but not for NO_PROXY', async () => {
  const env = { HTTP_PROXY: `http://${proxy}`, HTTPS_PROXY: `http://${proxy}`, NO_PROXY: '.direct.invalid' };
  await restart({ 'insecure-registries': ['plain.example:5000'] }, {}, env);
  await daemon.ok(['pull', 'plain.example:5000/app']);
  expect(proxied.some((line) => line.startsWith('GET http://plain.example:5000/v2/app/manifests/'))).toBe(true);
  const before = proxied.length;
  expect((await daemon.isula(['pull', 'strict.example:5000/app'])).code).toBe(1);
  expect(proxied.slice(before).filter((line) => !line.startsWith('CONNECT strict.example:5000'))).toEqual([]);
  const then = proxied.length;
  expect((await daemon.isula(['pull', 'reg.direct.invalid/app'])).code).toBe(1);
  expect(proxied.length).toBe(then);
  await daemon.ok(['rmi', 'plain.example:5000/app']);
});
