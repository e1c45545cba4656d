import { afterEach, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { ApiClient, demultiplex, exitCodeOf, jsonLines, parseEndpoint } from './index.ts';

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

/** A daemon that answers each request (told by its head's end) with scripted bytes. */
async function scripted(answer: (request: string, socket: Socket) => void): Promise<ApiClient> {
  const dir = mkdtempSync('/tmp/isula-client-');
  const path = join(dir, 's.sock');
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      if (!text.includes('\r\n\r\n')) return;
      const request = text;
      text = '';
      answer(request, socket);
    });
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const client = new ApiClient(parseEndpoint(`unix://${path}`, undefined));
  cleanups.push(() => {
    client.close();
    server.close();
    rmSync(dir, { recursive: true, force: true });
  });
  return client;
}

const ok = (body: string): string => `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

test('one connection serves requests one after the other', async () => {
  const requests: string[] = [];
  const sockets = new Set<Socket>();
  const client = await scripted((request, socket) => {
    sockets.add(socket);
    requests.push(request.split('\r\n')[0] ?? '');
    socket.write(ok('{"a":1}'));
  });
  expect(await client.json('GET', '/x', { query: { all: true, no: false, names: ['a/b', 'c'] } })).toEqual({ a: 1 });
  expect(await client.json('POST', '/y', { body: { json: { b: 2 } } })).toEqual({ a: 1 });
  expect(requests).toEqual(['GET /x?all=1&names=a%2Fb&names=c HTTP/1.1', 'POST /y HTTP/1.1']);
  expect(sockets.size).toBe(1);
});

test('chunked answers in any cut, and JSON lines', async () => {
  const body = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n{"n":1}\n\r\n9;x=y\r\n{"n":2}\n{\r\n6\r\n"n":3}\r\n0\r\nTrailer: x\r\n\r\n';
  const client = await scripted((_request, socket) => {
    void (async () => {
      for (const byte of body) {
        socket.write(byte);
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
  });
  const seen: unknown[] = [];
  const { body: answer } = await client.open('GET', '/');
  for await (const line of jsonLines(answer)) seen.push(line);
  expect(seen).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
});

test('the daemon\'s failures carry code and message', async () => {
  const client = await scripted(
    (_request, socket) => socket.write('HTTP/1.1 404 Not Found\r\nContent-Length: 32\r\n\r\n{"message":"No such container:x"}'.replace('32', '33')),
  );
  await expect(client.json('GET', '/')).rejects.toMatchObject({ code: 'notFound', message: 'No such container:x' });
});

test.each([
  ['SSH-2.0-x\r\n\r\n', 'it is not HTTP/1.1'],
  ['HTTP/1.1 200 OK\r\nbad header\r\n\r\n', 'bad header line'],
  ['HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n', 'content length'],
  ['HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n', 'transfer encoding'],
  ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n', 'bad chunk size'],
  [`HTTP/1.1 200 OK\r\nX: ${'y'.repeat(70_000)}`, 'longer than'],
  [ok('not json'), 'it is not JSON'],
])('hostile answer %#', async (bytes, message) => {
  const client = await scripted((_request, socket) => socket.write(bytes));
  await expect(client.json('GET', '/')).rejects.toThrow(message);
});

test('a connection that ends early is reported, not waited for', async () => {
  const client = await scripted((_request, socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc'));
  await expect(client.json('GET', '/')).rejects.toThrow('it ends inside a body');
  await expect(new ApiClient(parseEndpoint('unix:///nonexistent/s.sock', undefined)).json('GET', '/')).rejects.toThrow(
    'Can not connect with server. Is the iSulad daemon running on the host?',
  );
});

test('a hijacked stream is binary both ways and half-closes', async () => {
  const client = await scripted((request, socket) => {
    expect(request).toContain('Upgrade: tcp');
    socket.write('HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n');
    let size = 0;
    socket.removeAllListeners('data');
    socket.on('data', (chunk) => {
      size += chunk.length;
    });
    socket.on('end', () => socket.end(Buffer.from(`got ${size}`)));
  });
  const { wire } = await client.hijack('/attach');
  await wire.write(new Uint8Array(3_000_000));
  wire.shutdown();
  let text = '';
  for (let chunk = await wire.read(); chunk !== undefined; chunk = await wire.read()) text += new TextDecoder().decode(chunk);
  expect(text).toBe('got 3000000');
});

test('an upload of unknown length is chunked, and ends when the daemon refuses early', async () => {
  let received = '';
  const client = await scripted((request, socket) => {
    received += request;
    socket.write('HTTP/1.1 400 Bad Request\r\nContent-Length: 17\r\nConnection: close\r\n\r\n{"message":"bad"}');
  });
  const stream = async (): Promise<Uint8Array | undefined> => new TextEncoder().encode('x'.repeat(1000));
  await expect(client.json('POST', '/load', { body: { stream, type: 'application/x-tar' } })).rejects.toThrow('bad');
  await client.json('POST', '/load', { body: { stream, type: 'application/x-tar' } }).catch(() => undefined);
  expect(received).toContain('Transfer-Encoding: chunked');
});

test('multiplexed frames in any cut', async () => {
  const frame = (stream: number, text: string): number[] => [stream, 0, 0, 0, 0, 0, 0, text.length, ...Buffer.from(text)];
  const bytes = Uint8Array.from([...frame(1, 'out'), ...frame(2, 'err'), ...frame(1, ''), ...frame(1, 'more')]);
  for (let cut = 1; cut <= bytes.length; cut++) {
    let at = 0;
    const pieces: string[] = [];
    const read = async (): Promise<Uint8Array | undefined> => (at >= bytes.length ? undefined : bytes.slice(at, (at += cut)));
    await demultiplex({ read }, async (stream, chunk) => {
      const last = pieces.at(-1);
      const text = new TextDecoder().decode(chunk);
      if (last?.startsWith(`${stream}`) === true) pieces[pieces.length - 1] = last + text;
      else pieces.push(`${stream}${text}`);
    });
    expect(pieces).toEqual(['1out', '2err', '1more']);
  }
  const torn = async (): Promise<Uint8Array | undefined> => undefined;
  await expect(demultiplex({ read: torn }, async () => undefined)).resolves.toBeUndefined();
});

test('exit codes of docker\'s messages', () => {
  const table: [string, number | undefined][] = [
    ['OCI runtime create failed: exec: "x": executable file not found in $PATH', 127], ['exec: "/x": permission denied', 126],
    ['exec: "/x": stat /x: no such file or directory', 127], ['error gathering device information "/dev/x": no such file or directory', undefined],
    ['No such container: x', undefined], ['OCI runtime create failed: exec /x: exec format error: it is no program', 126],
    ['exec: "mount": executable file not found in $PATH', 127], ['exec /x: no such file or directory: its interpreter /y is not there', 127],
  ];
  for (const [message, code] of table) expect([message, exitCodeOf(message)]).toEqual([message, code]);
});

test('addresses', () => {
  expect(parseEndpoint('tcp://[::1]:99', undefined)).toEqual({ kind: 'tcp', hostname: '::1', port: 99, tls: undefined });
  expect(parseEndpoint('tcp://h', undefined)).toMatchObject({ port: 2375 });
  for (const bad of ['unix://x', 'http://x', 'tcp://a:99999', 'tcp://a:b', '']) expect(() => parseEndpoint(bad, undefined)).toThrow('Invalid host');
});
