import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:tls';
import { join } from 'node:path';
import { serveApi } from '../src/api/index.ts';
import { silentLogger, type OutputSink } from '../src/base/index.ts';
import { engineOf, RawClient, signalled } from './api-kit.ts';

const dir = mkdtempSync('/tmp/isula-api-tls-');
let server: Server;
let port = 0;
const session = signalled<{ sink: OutputSink; input: Buffer[]; ended: Promise<void> }>();

const api = serveApi({
  engine: engineOf({
    containers: {
      hasTty: () => true,
      attach: async (_reference, _options, sink) => {
        const ended = signalled();
        const closed = signalled();
        const input: Buffer[] = [];
        session.resolve({ sink, input, ended: ended.promise });
        return {
          writeInput: (chunk) => void input.push(Buffer.from(chunk)), closeInput: () => ended.resolve(), detach: () => closed.resolve(),
          closed: closed.promise,
        };
      },
    },
  }),
  logger: silentLogger,
});

beforeAll(async () => {
  const [key, cert] = [join(dir, 'key'), join(dir, 'cert')];
  const options = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=localhost'];
  const made = Bun.spawnSync(['openssl', 'req', ...options, '-keyout', key, '-out', cert], { stderr: 'pipe' });
  if (!made.success) throw new Error(made.stderr.toString());
  server = createServer({ key: readFileSync(key), cert: readFileSync(cert), allowHalfOpen: true }, (socket) => api.handleConnection(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  port = typeof address === 'object' && address !== null ? address.port : 0;
});

afterAll(async () => {
  await api.close();
  server.close();
  rmSync(dir, { recursive: true, force: true });
});

function client(): RawClient {
  return new RawClient(connect({ port, host: '127.0.0.1', rejectUnauthorized: false, allowHalfOpen: true }));
}

test('HTTP/1.1 over TLS: requests, and a hijacked stream both ways', async () => {
  const ping = client().send('GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n');
  expect(await ping.until('OK')).toStartWith('HTTP/1.1 200 OK');
  ping.destroy();
  const head = 'POST /containers/c/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp';
  const attached = client().send(`${head}\r\n\r\nin`);
  expect(await attached.until('\r\n\r\n')).toStartWith('HTTP/1.1 101 UPGRADED');
  const { sink, input, ended } = await session.promise;
  attached.send('put').endInput();
  await ended;
  expect(Buffer.concat(input).toString()).toBe('input');
  void sink.write(1, Buffer.from('output after the end of input'));
  sink.end();
  expect((await attached.rest()).toString()).toBe('output after the end of input');
});
