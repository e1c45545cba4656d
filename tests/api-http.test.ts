import { expect, test } from 'bun:test';
import { Readable } from 'node:stream';
import { asDigest, EngineError } from '../src/base/index.ts';
import type { ContainerOperations, EventMessage, WaitResult } from '../src/engine/index.ts';
import type { RegistryAuth } from '../src/images/index.ts';
import type { ImageRecord } from '../src/model/index.ts';
import { serve, signalled } from './api-kit.ts';

async function outcome(response: Response): Promise<[number, unknown]> {
  const text = await response.text();
  return [response.status, text === '' ? '' : JSON.parse(text)];
}

test('_ping: headers of the API, GET and HEAD; unknown pages and versions', async () => {
  await using server = await serve({});
  const ping = await server.fetch('GET', '/_ping');
  expect([ping.status, await ping.text()]).toEqual([200, 'OK']);
  for (const [name, value] of [['api-version', '1.51'], ['docker-experimental', 'false'], ['ostype', 'linux'], ['builder-version', '1']] as const) {
    expect(ping.headers.get(name)).toBe(value);
  }
  const head = await server.fetch('HEAD', '/v1.41/_ping');
  expect([head.status, head.headers.get('api-version'), await head.text()]).toEqual([200, '1.51', '']);
  expect(await outcome(await server.fetch('GET', '/nope'))).toEqual([404, { message: 'page not found' }]);
  expect(await outcome(await server.fetch('DELETE', '/_ping'))).toEqual([404, { message: 'page not found' }]);
  const [status, body] = await outcome(await server.fetch('GET', '/v1.10/containers/json'));
  expect(status).toBe(400);
  const remedy = 'please upgrade your client to a newer version';
  expect(body).toEqual({ message: `client version 1.10 is too old. Minimum supported API version is 1.24, ${remedy}` });
});

test('engine errors become docker\'s statuses', async () => {
  let failure: unknown;
  await using server = await serve({ containers: { start: () => Promise.reject(failure) } });
  for (const [code, status] of [
    ['notFound', 404], ['conflict', 409], ['invalidArgument', 400], ['unauthorized', 401], ['forbidden', 403], ['unavailable', 503],
    ['unsupported', 501], ['tooLarge', 413], ['timeout', 504], ['internal', 500], ['resourceExhausted', 429],
  ] as const) {
    failure = new EngineError(code, `failed: ${code}`);
    expect(await outcome(await server.fetch('POST', '/containers/c/start'))).toEqual([status, { message: `failed: ${code}` }]);
  }
  failure = new EngineError('notModified', 'it runs');
  expect(await outcome(await server.fetch('POST', '/containers/c/start'))).toEqual([304, '']);
  failure = new EngineError('internal', 'exec: "x": executable file not found in $PATH', { exitCode: 127 });
  expect((await server.fetch('POST', '/containers/c/start')).status).toBe(400);
  failure = new TypeError('a bug');
  expect(await outcome(await server.fetch('POST', '/containers/c/start'))).toEqual([500, { message: 'a bug' }]);
});

test('bodies: no JSON, another type, wrong types, too large, broken off; nothing reaches the engine', async () => {
  await using server = await serve({});
  const create = async (body: string, type = 'application/json'): Promise<[number, unknown]> =>
    outcome(await server.fetch('POST', '/containers/create', { body, headers: { 'Content-Type': type } }));
  const message = (text: string): unknown => ({ message: expect.stringContaining(text) });
  expect(await create('{"Image":')).toEqual([400, message('invalid JSON: ')]);
  expect(await create('"text"')).toEqual([400, message('invalid JSON: the request body must be an object')]);
  expect(await create('{"Image":5}')).toEqual([400, message('invalid JSON: Image must be a string')]);
  expect(await create('{"Image":"a","HostConfig":{"Memory":"1g"}}')).toEqual([400, message('HostConfig.Memory must be a number')]);
  expect(await create('{}', 'text/plain')).toEqual([400, message('unsupported Content-Type header (text/plain): must be \'application/json\'')]);
  expect(await create('')).toEqual([400, message('invalid JSON: got EOF while reading request body')]);
  expect(await create(`{"Image":"${'['.repeat(5 * 1024 * 1024)}"}`)).toEqual([413, message('request body too large')]);
  expect(await create('['.repeat(1024 * 1024))).toEqual([400, message('invalid JSON')]);
  const head = 'POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\n';
  const declared = await server.connect().send(`${head}Content-Length: 99999999999\r\n\r\n{`).rest();
  expect(declared.toString()).toStartWith('HTTP/1.1 413 ');
  const broken = await server.connect().send(`${head}Content-Length: 50\r\n\r\n{"Image":"a"`).endInput().rest();
  expect(broken.toString()).toContain('400 Bad Request');
  expect(await outcome(await server.fetch('POST', '/containers/c/exec', { json: { Cmd: [] } }))).toEqual([400, message('No exec command specified')]);
  expect(await outcome(await server.fetch('POST', '/exec/e/resize?h=a&w=1'))).toEqual([400, message('invalid value "a" for h')]);
  expect(await outcome(await server.fetch('POST', '/containers/c/resize?h=1'))).toEqual([400, message('invalid terminal size w')]);
  expect(await outcome(await server.fetch('GET', '/containers/c%00/json'))).toEqual([400, message('NUL')]);
});

test('the connection: pipelining, malformed and ambiguous requests, huge headers, silence', async () => {
  await using server = await serve({}, { headerMs: 150, sweepMs: 20 });
  const ping = 'GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n';
  const pipelined = server.connect().send(ping.repeat(3)).endInput();
  expect((await pipelined.rest()).toString().match(/HTTP\/1\.1 200 OK/g)?.length).toBe(3);
  const answer = async (request: string): Promise<string> => (await server.connect().send(request).rest()).toString().split('\r\n', 1)[0] ?? '';
  expect(await answer('\0\x01nonsense\r\n\r\n')).toBe('HTTP/1.1 400 Bad Request');
  expect(await answer('PRIVATE / HTTP/1.1\r\n\r\n')).toBe('HTTP/1.1 400 Bad Request');
  expect(await answer('POST /_ping HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n')).toBe('HTTP/1.1 400 Bad Request');
  expect(await answer('POST /_ping HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!')).toBe('HTTP/1.1 400 Bad Request');
  expect(await answer(`GET /_ping HTTP/1.1\r\nX: ${'x'.repeat(200_000)}\r\n\r\n`)).toBe('HTTP/1.1 431 Request Header Fields Too Large');
  expect(await answer('GET /_ping HTTP/1.1\r\nHost: d\r\n')).toBe('HTTP/1.1 408 Request Timeout');
  expect(await answer('P')).toBe('HTTP/1.1 408 Request Timeout');
  // Kept alive, then half a request.
  const reused = server.connect().send(ping);
  await reused.until('OK');
  expect((await reused.send('GET /').rest()).toString()).toStartWith('HTTP/1.1 408 ');
});

test('500 connections at once are served; beyond the limit they are refused, and served again later', async () => {
  await using server = await serve({}, { connectionsMax: 500 });
  const clients = Array.from({ length: 500 }, () => server.connect());
  for (const client of clients) client.send('GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n');
  for (const client of clients) expect(await client.until('OK')).toContain('200 OK');
  expect((await server.connect().rest()).toString()).toStartWith('HTTP/1.1 503 ');
  for (const client of clients) client.destroy();
  for (;;) {
    const again = server.connect().send('GET /_ping HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n');
    if ((await again.rest()).includes('200 OK')) break;
  }
});

test('wait: the head comes once the wait is registered, the body with the end; a client that leaves ends the wait', async () => {
  const ended = signalled<WaitResult>();
  const aborted = signalled();
  const wait: ContainerOperations['wait'] = (reference, condition, signal) => {
    if (reference === 'nope') throw new EngineError('notFound', 'No such container: nope');
    expect(condition).toBe('removed');
    signal.addEventListener('abort', () => aborted.resolve());
    return { registered: true, result: reference === 'c' ? ended.promise : new Promise(() => undefined) };
  };
  await using server = await serve({ containers: { wait } });
  const client = server.connect().send('POST /v1.41/containers/c/wait?condition=removed HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\n\r\n');
  expect(await client.until('\r\n\r\n')).toStartWith('HTTP/1.1 200 OK\r\n');
  ended.resolve({ StatusCode: 7 });
  expect(await client.until('}')).toContain('{"StatusCode":7,"Error":null}');
  expect(await outcome(await server.fetch('POST', '/containers/nope/wait'))).toEqual([404, { message: 'No such container: nope' }]);
  expect((await server.fetch('POST', '/containers/c/wait?condition=never')).status).toBe(400);
  const leaver = server.connect().send('POST /containers/d/wait?condition=removed HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\n\r\n');
  await leaver.until('\r\n\r\n');
  leaver.destroy();
  await aborted.promise;
});

test('events: each line is sent as it comes; the source ends when the client leaves', async () => {
  const queue = [signalled<string>(), signalled<string>()];
  const ended = signalled();
  await using server = await serve({
    system: {
      async *events(options, signal): AsyncIterable<EventMessage> {
        expect(options).toEqual({ since: 1000, until: undefined, filters: new Map([['type', ['container']]]) });
        try {
          for (const entry of queue) {
            const action = await Promise.race([entry.promise, new Promise<string>((resolve) => signal.addEventListener('abort', () => resolve('')))]);
            if (action === '') return;
            yield { Type: 'container', Action: action, Actor: { ID: 'c', Attributes: {} }, scope: 'local', time: 1, timeNano: 1 };
          }
        } finally {
          ended.resolve();
        }
      },
    },
  });
  const filters = encodeURIComponent('{"type":{"container":true}}');
  const client = server.connect().send(`GET /events?since=1&filters=${filters} HTTP/1.1\r\nHost: d\r\n\r\n`);
  await client.until('\r\n\r\n');
  queue[0]?.resolve('start');
  expect(await client.until('\n\r\n')).toContain('"Action":"start"');
  client.destroy();
  await ended.promise;
  expect((await server.fetch('GET', '/events?since=5&until=4')).status).toBe(400);
});

test('progress: a failure before the first line is a status, after it the last line', async () => {
  let asked: unknown;
  await using server = await serve({
    images: {
      async pull(request, progress) {
        asked = request;
        if (request.reference === 'none') throw new EngineError('notFound', 'pull access denied for none');
        progress({ status: 'Pulling from library/a', id: 'latest' });
        if (request.reference === 'broken:1') throw new EngineError('unavailable', 'connection reset');
        return [];
      },
      async openRemoteArchive(url) {
        throw new EngineError('notFound', `nothing at ${url}`);
      },
    },
  });
  const auth: RegistryAuth = { username: 'u', password: 'p', serveraddress: 'r' };
  const header = { 'X-Registry-Auth': Buffer.from(JSON.stringify(auth)).toString('base64url') };
  const pull = (query: string): Promise<Response> => server.fetch('POST', `/images/create?${query}`, { headers: header });
  expect(await (await pull('fromImage=a&tag=latest')).text()).toBe('{"status":"Pulling from library/a","id":"latest"}\r\n');
  expect(asked).toEqual({ reference: 'a:latest', all: false, platform: '', auth });
  const broken = await pull('fromImage=broken&tag=1');
  expect(broken.status).toBe(200);
  expect((await broken.text()).trim().split('\r\n')[1]).toBe('{"errorDetail":{"message":"connection reset"},"error":"connection reset"}');
  expect(await outcome(await pull('fromImage=none'))).toEqual([404, { message: 'pull access denied for none' }]);
  expect(asked).toMatchObject({ reference: 'none', all: true });
  await (await server.fetch('POST', '/images/create?fromImage=h:5/a&tag=sha256:1', { headers: { 'X-Registry-Auth': 'garbage' } })).text();
  expect(asked).toEqual({ reference: 'h:5/a@sha256:1', all: false, platform: '', auth: undefined });
  expect((await server.fetch('POST', '/images/create')).status).toBe(400);
  expect(await outcome(await server.fetch('POST', '/images/create?fromSrc=x/y.tar'))).toEqual([404, { message: 'nothing at http://x/y.tar' }]);
});

test('logs: frames or raw, media types, followed silence, errors', async () => {
  let isTerminal = false;
  let seen: unknown;
  await using server = await serve({
    containers: {
      hasTty: () => isTerminal,
      async logs(reference, options, sink, signal) {
        seen = options;
        if (reference === 'disabled') throw new EngineError('unsupported', 'configured logging driver does not support reading');
        if (reference === 'silent') return new Promise((resolve) => signal.addEventListener('abort', () => resolve()));
        await sink.write(2, Buffer.from('line\n'));
        if (reference === 'broken') throw new EngineError('internal', 'log lost');
      },
    },
  });
  const logs = await server.fetch('GET', '/containers/c/logs?stdout=1&stderr=1&tail=5&since=3');
  expect(logs.headers.get('content-type')).toBe('application/vnd.docker.multiplexed-stream');
  expect(await logs.text()).toBe('\x02\0\0\0\0\0\0\x05line\n');
  expect(seen).toMatchObject({ follow: false, stdout: true, tail: 5, since: 3000 });
  const broken = await server.fetch('GET', '/containers/broken/logs?stdout=1&tail=all');
  expect(await broken.text()).toBe('\x02\0\0\0\0\0\0\x05line\n\x03\0\0\0\0\0\0\x08log lost');
  expect(seen).toMatchObject({ tail: undefined });
  isTerminal = true;
  const raw = await server.fetch('GET', '/containers/c/logs?stdout=1');
  expect([raw.headers.get('content-type'), await raw.text()]).toEqual(['application/vnd.docker.raw-stream', 'line\n']);
  expect((await server.fetch('GET', '/containers/disabled/logs?stdout=1')).status).toBe(501);
  expect((await server.fetch('GET', '/containers/c/logs')).status).toBe(400);
  const silent = server.connect().send('GET /containers/silent/logs?stdout=1&follow=1 HTTP/1.1\r\nHost: d\r\n\r\n');
  expect(await silent.until('\r\n\r\n')).toContain('200 OK');
});

const image: ImageRecord = {
  id: asDigest(`sha256:${'1'.repeat(64)}`), repoTags: [], repoDigests: [], layers: [], size: 42, addedAt: 1_700_000_000_000, type: 'oci',
  config: { architecture: 'amd64', os: 'linux', created: '2024-01-01T00:00:00Z', config: { Env: ['A=b'] }, rootfs: { type: 'layers', diff_ids: [] } },
};

test('image shapes follow the client\'s version', async () => {
  await using server = await serve({ images: { list: () => [image], resolve: () => image }, system: { info: async () => ({ Driver: 'overlay2' }) } });
  const [, old] = await outcome(await server.fetch('GET', '/v1.41/images/json'));
  expect(old).toMatchObject([{ Id: image.id, RepoTags: ['<none>:<none>'], RepoDigests: ['<none>@<none>'], VirtualSize: 42, Created: 1704067200 }]);
  const [, recent] = await outcome(await server.fetch('GET', '/images/json'));
  expect(recent).toMatchObject([{ RepoTags: [], RepoDigests: [], Size: 42 }]);
  expect(recent).not.toMatchObject([{ VirtualSize: 42 }]);
  const [, inspected] = await outcome(await server.fetch('GET', '/v1.44/images/a/b:c/json'));
  expect(inspected).toMatchObject({
    Id: image.id, Config: { Env: ['A=b'], Cmd: null }, GraphDriver: { Name: 'overlay2' }, ContainerConfig: {}, RootFS: { Type: 'layers' },
  });
});

test('archives: the stat header, streams both ways; a stream that breaks is never a whole answer', async () => {
  const stat = { name: 'f', size: 1, mode: 420, mtime: '2024-01-01T00:00:00Z', linkTarget: '' };
  let stored = '';
  await using server = await serve({
    containers: {
      archiveStat: async () => stat,
      archiveGet: async () => ({ stat, tar: Readable.from([Buffer.from('tar')]) }),
      async archivePut(_reference, path, tar, options) {
        expect([path, options]).toEqual(['/x y', { noOverwriteDirNonDir: true, copyUidGid: false }]);
        for await (const chunk of tar) stored += String(chunk);
      },
      export: async () => Readable.from((async function* () {
        yield Buffer.from('part');
        throw new Error('disk gone');
      })()),
    },
  });
  const head = await server.fetch('HEAD', '/containers/c/archive?path=/f');
  expect(JSON.parse(atob(head.headers.get('x-docker-container-path-stat') ?? ''))).toEqual(stat);
  expect(await (await server.fetch('GET', '/containers/c/archive?path=/f')).text()).toBe('tar');
  expect((await server.fetch('GET', '/containers/c/archive')).status).toBe(400);
  const put = await server.fetch('PUT', '/containers/c/archive?path=/x%20y&noOverwriteDirNonDir=1', { body: 'bytes' });
  expect([put.status, stored]).toEqual([200, 'bytes']);
  const broken = await server.connect().send('GET /containers/c/export HTTP/1.1\r\nHost: d\r\n\r\n').rest();
  expect(broken.toString()).toContain('part');
  expect(broken.toString()).not.toEndWith('0\r\n\r\n');
});

test('networks: the predefined two; the rest, builds and swarms are refused clearly', async () => {
  await using server = await serve({});
  const [, all] = await outcome(await server.fetch('GET', '/networks'));
  expect(all).toMatchObject([{ Name: 'host', Driver: 'host' }, { Name: 'none', Driver: 'null' }]);
  expect((await server.fetch('GET', `/networks?filters=${encodeURIComponent('{"name":["none"]}')}`)).status).toBe(200);
  expect((await server.fetch('GET', '/networks/none')).status).toBe(200);
  expect(await outcome(await server.fetch('GET', '/networks/web'))).toEqual([404, { message: 'network web not found' }]);
  expect((await server.fetch('DELETE', '/networks/host')).status).toBe(403);
  for (const [method, path] of [
    ['POST', '/networks/create'], ['POST', '/build'], ['POST', '/session'], ['GET', '/swarm'], ['GET', '/services'], ['GET', '/nodes/x'],
    ['GET', '/plugins'], ['POST', '/containers/c/checkpoints'],
  ] as const) {
    const [status, body] = await outcome(await server.fetch(method, path));
    expect([path, status, body]).toEqual([path, 501, { message: expect.stringContaining('not supported by iSula') }]);
  }
});
