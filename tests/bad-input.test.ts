import { beforeAll, expect, test } from 'bun:test';
import { existsSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { at, dist, runCommand, useDaemon, waitUntil } from './harness/index.ts';

const daemon = useDaemon();
let sleeper = '';

beforeAll(async () => {
  sleeper = await daemon.ok(['run', '-d', '--name', 'sleeper', 'busybox', 'sleep', '100000']);
  await daemon.ok(['create', '--name', 'fresh', 'busybox', 'true']);
});

/** All that a request may have changed. */
async function everything(): Promise<string> {
  const containers = await daemon.ok(['ps', '-a', '--no-trunc', '--format', '{{.ID}} {{.Names}} {{.State}} {{.Pid}}']);
  return [containers, await daemon.ok(['images', '-q']), await daemon.ok(['volume', 'ls', '-q'])].join('\n');
}

/** Method, path, body, status, what the message says. */
const requests: [string, string, unknown, number, string][] = [
  ['POST', '/containers/create', { Image: 'nosuchimage', Cmd: ['true'] }, 404, 'No such image: nosuchimage'],
  ['POST', '/containers/create?name=sleeper', { Image: 'busybox', Cmd: ['true'] }, 409, 'is already in use by container'],
  ['POST', '/containers/create?name=b%20d', { Image: 'busybox', Cmd: ['true'] }, 400, 'Invalid container name (b d)'],
  ['POST', '/containers/create?name=x', { Image: 'busybox', Cmd: ['true'] }, 400, 'Invalid container name (x)'],
  ['POST', `/containers/create?name=${'n'.repeat(3000)}`, { Image: 'busybox', Cmd: ['true'] }, 400, 'name'],
  ['POST', '/containers/create', { Image: '', Cmd: ['true'] }, 400, 'Image'],
  ['POST', '/containers/create', { Image: 'UPPER', Cmd: ['true'] }, 400, 'invalid reference format'],
  ['POST', '/containers/create', { Image: 'busybox', Cmd: 'sh', HostConfig: { Memory: 'lots' } }, 400, 'Memory'],
  ['POST', '/containers/create', { Image: 'busybox', Cmd: ['true'], HostConfig: { Memory: 1 } }, 400, '4MB'],
  ['POST', '/containers/create', { Image: 'busybox', Cmd: ['true'], HostConfig: { RestartPolicy: { Name: 'perhaps' } } }, 400, 'perhaps'],
  ['POST', '/containers/create', { Image: 'busybox', Cmd: ['true'], HostConfig: { Binds: ['relative:/x:ro:rw:z'] } }, 400, 'relative'],
  ['POST', '/containers/create', { Image: 'busybox', Cmd: ['true'], HostConfig: { NetworkMode: 'container:nosuch' } }, 404, 'No such container'],
  ['POST', '/containers/create', { Image: 'busybox', Cmd: ['true'], HostConfig: { Runtime: 'nosuch' } }, 400, 'nosuch'],
  ['POST', '/containers/create', { Image: 'busybox', Entrypoint: [], Cmd: [], Env: ['=x'] }, 400, ''],
  ['POST', '/containers/create', [], 400, ''],
  ['POST', '/containers/nosuch/start', undefined, 404, 'No such container: nosuch'],
  ['POST', '/containers/nosuch/stop', undefined, 404, 'No such container: nosuch'],
  ['GET', '/containers/nosuch/json', undefined, 404, 'No such container: nosuch'],
  ['GET', '/containers/nosuch/logs?stdout=1', undefined, 404, 'No such container: nosuch'],
  ['DELETE', '/containers/nosuch', undefined, 404, 'No such container: nosuch'],
  ['POST', '/containers/nosuch/exec', { Cmd: ['true'] }, 404, 'No such container: nosuch'],
  ['POST', '/containers/nosuch/wait', undefined, 404, 'No such container: nosuch'],
  ['POST', '/containers/sleeper/start', undefined, 304, ''],
  ['DELETE', '/containers/sleeper', undefined, 409, 'You cannot remove a running container'],
  ['POST', '/containers/sleeper/rename?name=fresh', undefined, 409, 'is already in use by container'],
  ['POST', '/containers/sleeper/rename?name=', undefined, 400, 'empty'],
  ['POST', '/containers/sleeper/kill?signal=NOPE', undefined, 400, 'NOPE'],
  ['POST', '/containers/sleeper/stop?t=soon', undefined, 400, ''],
  ['POST', '/containers/sleeper/wait?condition=never', undefined, 400, 'never'],
  ['POST', '/containers/sleeper/unpause', undefined, 409, 'is not paused'],
  ['POST', '/containers/sleeper/exec', { Cmd: [] }, 400, 'No exec command specified'],
  ['POST', '/containers/sleeper/update', { Memory: 1 }, 400, '4MB'],
  ['POST', '/containers/sleeper/resize?h=x&w=1', undefined, 400, ''],
  ['POST', '/containers/fresh/exec', { Cmd: ['true'] }, 409, 'is not running'],
  ['POST', '/containers/fresh/kill', undefined, 409, 'is not running'],
  ['POST', '/containers/fresh/pause', undefined, 409, 'is not running'],
  ['POST', '/containers/fresh/unpause', undefined, 409, 'is not paused'],
  ['POST', '/containers/fresh/resize?h=1&w=1', undefined, 409, 'is not running'],
  ['GET', '/containers/fresh/top', undefined, 409, 'is not running'],
  ['GET', '/images/nosuchimage/json', undefined, 404, 'No such image: nosuchimage'],
  ['DELETE', '/images/busybox', undefined, 409, 'conflict: unable to'],
  ['POST', '/images/busybox/tag?repo=UPPER', undefined, 400, 'invalid reference format'],
  ['GET', '/volumes/nosuch', undefined, 404, 'nosuch'],
  ['GET', '/v1.99/containers/json', undefined, 400, 'client version 1.99 is too new'],
  ['GET', '/v1.10/containers/json', undefined, 400, 'client version 1.10 is too old'],
  ['GET', '/nosuchpage', undefined, 404, 'page not found'],
  ['PATCH', '/containers/json', undefined, 404, 'page not found'],
];

test('each bad request has docker\'s status and a message, and changes nothing', async () => {
  const before = await everything();
  for (const [method, path, body, status, message] of requests) {
    const answer = await daemon.http(method, path, body === undefined ? {} : { json: body });
    const said = answer.status === 304 ? '' : String(at(answer.json(), 'message'));
    expect([method, path.slice(0, 80), answer.status, said]).toEqual([method, path.slice(0, 80), status, expect.stringContaining(message)]);
    if (answer.status !== 304) expect(said.length).toBeGreaterThan(5);
  }
  expect(await everything()).toBe(before);
});

test('bodies that are none: not JSON, cut off, of another type, nested too deep, too large', async () => {
  const before = await everything();
  const create = '/containers/create?name=never';
  const bad: [string | Uint8Array<ArrayBuffer>, string, number][] = [
    ['{"Image":', 'application/json', 400],
    ['not json', 'application/json', 400],
    ['', 'application/json', 400],
    ['{"Image":"busybox"}', 'text/plain', 400],
    ['{"Image":"busybox"}{"Image":"busybox"}', 'application/json', 400],
    [new Uint8Array([0xff, 0xfe, 0x00]), 'application/json', 400],
    [`${'['.repeat(100_000)}`, 'application/json', 400],
    [`{"Image":"busybox","Cmd":["${'x'.repeat(20_000_000)}"]}`, 'application/json', 413],
  ];
  for (const [body, contentType, status] of bad) {
    const answer = await daemon.http('POST', create, { body, contentType });
    expect([String(body).slice(0, 40), answer.status]).toEqual([String(body).slice(0, 40), status]);
  }
  expect(await everything()).toBe(before);
});

test('the command line says what is wrong, and nothing is changed', async () => {
  const before = await everything();
  const table: [string[], number, string][] = [
    [['run', '--pull', 'never', 'nosuchimage', 'true'], 125, 'No such image: nosuchimage'],
    [['create', '--name', 'sleeper', 'busybox', 'true'], 1, 'is already in use by container'],
    [['create', '--name', 'b d', 'busybox', 'true'], 1, 'Invalid container name (b d)'],
    [['create', '--cpus', 'many', 'busybox', 'true'], 125, 'invalid argument "many" for "--cpus" flag'],
    [['create', '-m', 'much', 'busybox', 'true'], 125, 'much'],
    [['create'], 1, 'requires at least 1 argument'],
    [['create', '--entrypoint', '', 'busybox'], 1, 'No command specified'],
    [['start', 'nosuch'], 1, 'No such container: nosuch'],
    [['start'], 1, 'requires at least 1 argument'],
    [['rm', 'sleeper'], 1, 'You cannot remove a running container'],
    [['exec', 'fresh', 'true'], 1, 'is not running'],
    [['exec', 'sleeper'], 1, 'requires at least 2 arguments'],
    [['stop', '-t', 'soon', 'sleeper'], 125, 'invalid argument "soon"'],
    [['kill', '-s', 'NOPE', 'sleeper'], 1, 'NOPE'],
    [['logs', '--tail'], 125, 'flag needs an argument'],
    [['logs', '--tail', 'many', 'sleeper'], 1, 'invalid argument "many" for "-n, --tail" flag'],
    [['rename', 'sleeper'], 1, 'requires exactly 2 arguments'],
    [['nosuchcommand'], 1, 'is not an isula command'],
    [['--nosuchflag', 'ps'], 125, 'unknown flag: --nosuchflag'],
    [['-H', 'ftp://x', 'ps'], 1, 'ftp'],
    [['-H', 'unix:///no/such.sock', 'ps'], 1, 'Can not connect with server. Is the iSulad daemon running on the host?'],
    [['-H', 'tcp://127.0.0.1:1', 'ps'], 1, 'Can not connect with server. Is the iSulad daemon running on the host?'],
  ];
  for (const [args, code, message] of table) {
    const result = await daemon.isula(args);
    expect([args, result.code, result.stdout, result.stderr]).toEqual([args, code, '', expect.stringContaining(message)]);
  }
  expect(await everything()).toBe(before);
});

/** A connection that sends `bytes` and then stays as it is. */
function hold(bytes: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path: daemon.socket, allowHalfOpen: true }, () => socket.write(bytes, () => resolve(socket)));
    socket.on('error', reject);
    socket.resume();
  });
}

test('500 connections that do nothing, or stop half way, keep nobody out; a container is run meanwhile', async () => {
  const beginnings = [
    '', 'GET', 'GET /_ping HTTP/1.1\r\nHost: d\r\n',
    'POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"Im',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  ];
  const sockets = await Promise.all(Array.from({ length: 500 }, (_, n) => hold(beginnings[n % beginnings.length] ?? '')));
  try {
    expect(await daemon.ok(['run', '--rm', 'busybox', 'echo', 'served'])).toBe('served');
    const ask = () => daemon.http('GET', '/containers/json', { headers: { Connection: 'close' } });
    const answers = await Promise.all(Array.from({ length: 200 }, ask));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  } finally {
    for (const socket of sockets) socket.destroy();
  }
  const open = () => Bun.spawnSync(['ls', `/proc/${daemon.pid}/fd`]).stdout.toString().split('\n').length;
  await waitUntil('the connections to go', () => open() < 100);
  expect(await daemon.ok(['exec', sleeper, 'echo', 'there'])).toBe('there');
});

test('half-closed and leaving clients: the answer still comes, and what was begun for them ends', async () => {
  const answer = await daemon.raw('GET /_ping HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n', { halfClose: true });
  expect(answer).toEndWith('OK');
  const garbage = await daemon.raw('\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 not http\r\n\r\n');
  expect(garbage === '' || garbage.startsWith('HTTP/1.1 400')).toBe(true);
  // Clients that leave in the middle of a stream: the daemon lets go of them.
  const streams = await Promise.all(['logs?follow=1&stdout=1', 'stats', 'attach?stream=1&stdout=1'].flatMap((path) => (
    Array.from({ length: 10 }, () => hold(`${path.startsWith('attach') ? 'POST' : 'GET'} /containers/sleeper/${path} HTTP/1.1\r\nHost: d\r\n\r\n`))
  )));
  const events = await hold('GET /events HTTP/1.1\r\nHost: d\r\n\r\n');
  const descriptors = () => Bun.spawnSync(['ls', `/proc/${daemon.pid}/fd`]).stdout.toString().split('\n').length;
  for (const socket of [...streams, events]) socket.destroy();
  await waitUntil('the streams to go', () => descriptors() < 100);
  expect(await daemon.ok(['exec', sleeper, 'echo', 'there'])).toBe('there');
});

test.skipIf(existsSync('/sys/fs/selinux/enforce'))('a daemon that is to use SELinux does not start where there is none', async () => {
  const dir = join(daemon.dir, 'selinux');
  const roots = ['-g', join(dir, 'graph'), '-S', join(dir, 'state'), '-p', join(dir, 'pid'), '-H', `unix://${join(dir, 'socket')}`];
  const result = await runCommand([join(dist, 'isulad'), '--config-file', join(daemon.dir, 'daemon.json'), ...roots, '--selinux-enabled']);
  expect([result.code, result.stderr]).toEqual([1, 'isulad: Cannot use selinux-enabled: SELinux is not enabled on this host\n']);
});
