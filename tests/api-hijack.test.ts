import { expect, test } from 'bun:test';
import { EngineError, type OutputSink, type ProcessSession } from '../src/base/index.ts';
import type { AttachOptions, ExecInspect } from '../src/engine/index.ts';
import { serve, signalled } from './api-kit.ts';
import { waitUntil } from './harness/index.ts';

const upgrade = 'Host: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n';

/** A session that keeps what it was given. */
class Recorder implements ProcessSession {
  readonly input: Buffer[] = [];
  readonly inputEnded = signalled();
  readonly detached = signalled();
  readonly #closed = signalled();
  readonly closed = this.#closed.promise;
  /** What writeInput answers. */
  accept: () => Promise<void> | undefined = () => undefined;
  onInput: () => void = () => undefined;

  constructor(readonly sink: OutputSink) {}

  get text(): string {
    return Buffer.concat(this.input).toString();
  }

  writeInput(chunk: Uint8Array): Promise<void> | undefined {
    this.input.push(Buffer.from(chunk));
    this.onInput();
    return this.accept();
  }

  closeInput(): void {
    this.inputEnded.resolve();
  }

  detach(): void {
    this.detached.resolve();
    this.finish();
  }

  finish(): void {
    this.sink.end();
    this.#closed.resolve();
  }
}

async function attachServer(tty: boolean) {
  const attached = signalled<Recorder>();
  const seen: AttachOptions[] = [];
  const server = await serve({
    containers: {
      hasTty: () => tty,
      attach: async (_reference, options, sink) => {
        seen.push(options);
        const session = new Recorder(sink);
        attached.resolve(session);
        return session;
      },
    },
  });
  return { server, attached: attached.promise, seen };
}

test('attach: 101, raw terminal output, input up to the half-close, output after it', async () => {
  const { server, attached, seen } = await attachServer(true);
  await using _server = server;
  const line = 'POST /v1.47/containers/c/attach?stream=1&stdin=1&stdout=1 HTTP/1.1';
  const client = server.connect().send(`${line}\r\n${upgrade}Content-Length: 0\r\n\r\nfirst `);
  const head = await client.until('\r\n\r\n');
  expect(head).toStartWith('HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Type: application/vnd.docker.raw-stream\r\n');
  const session = await attached;
  client.send('second').endInput();
  await session.inputEnded.promise;
  expect(session.text).toBe('first second');
  void session.sink.write(1, Buffer.from('after the end of input'));
  session.finish();
  expect((await client.rest()).toString()).toBe('after the end of input');
  expect(seen).toEqual([{ stdin: true, stdout: true, stderr: false, logs: false, stream: true, detachKeys: '' }]);
});

test('attach without a terminal: frames, and the media type that says so from API 1.42 on', async () => {
  for (const [version, type] of [['1.41', 'raw-stream'], ['1.42', 'multiplexed-stream']] as const) {
    const { server, attached } = await attachServer(false);
    await using _server = server;
    const client = server.connect().send(`POST /v${version}/containers/c/attach?stream=1&stdout=1 HTTP/1.1\r\n${upgrade}\r\n`);
    expect(await client.until('\r\n\r\n')).toContain(`Content-Type: application/vnd.docker.${type}\r\n`);
    const session = await attached;
    void session.sink.write(1, Buffer.from('out'));
    void session.sink.write(2, Buffer.from('err!'));
    session.finish();
    expect((await client.rest()).toString('latin1')).toBe('\x01\0\0\0\0\0\0\x03out\x02\0\0\0\0\0\0\x04err!');
  }
});

test('attach without Upgrade (old clients): 200, then the same stream both ways', async () => {
  const { server, attached } = await attachServer(true);
  await using _server = server;
  const client = server.connect().send('POST /v1.24/containers/c/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\n\r\n');
  expect(await client.until('\r\n\r\n')).toStartWith('HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n');
  const session = await attached;
  client.send('input that is no HTTP\r\n\r\n').endInput();
  await session.inputEnded.promise;
  expect(session.text).toBe('input that is no HTTP\r\n\r\n');
  session.finish();
  await client.rest();
});

test('a client that leaves detaches, whether it had half-closed or not', async () => {
  for (const halfClosed of [false, true]) {
    const { server, attached } = await attachServer(false);
    await using _server = server;
    const client = server.connect().send(`POST /containers/c/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\n${upgrade}\r\n`);
    await client.until('\r\n\r\n');
    const session = await attached;
    if (halfClosed) {
      client.endInput();
      await session.inputEnded.promise;
    }
    client.destroy();
    await session.detached.promise;
  }
});

test('input waits for the process: nothing is read while it cannot take more', async () => {
  const { server, attached } = await attachServer(true);
  await using _server = server;
  const client = server.connect().send(`POST /containers/c/attach?stream=1&stdin=1 HTTP/1.1\r\n${upgrade}\r\n`);
  await client.until('\r\n\r\n');
  const session = await attached;
  const gate = signalled();
  const first = signalled();
  session.accept = () => gate.promise;
  session.onInput = () => first.resolve();
  const bytes = Buffer.alloc(8 * 1024 * 1024, 'i');
  client.send(bytes).endInput();
  await first.promise;
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
  expect(session.input.length).toBe(1);
  session.accept = () => undefined;
  gate.resolve();
  await session.inputEnded.promise;
  expect(Buffer.concat(session.input).equals(bytes)).toBe(true);
});

test('output waits for a slow client, and arrives whole', async () => {
  const { server, attached } = await attachServer(false);
  await using _server = server;
  const client = server.connect();
  client.send(`POST /containers/c/attach?stream=1&stdout=1 HTTP/1.1\r\n${upgrade}\r\n`);
  await client.until('\r\n\r\n');
  const session = await attached;
  client.socket.pause();
  // The same memory again and again: a sink must not keep it.
  const chunk = Buffer.alloc(100_000);
  let waited = 0;
  const pump = async (): Promise<void> => {
    for (let index = 0; index < 60; index++) {
      chunk.fill(index);
      const wait = session.sink.write(1, chunk);
      if (wait !== undefined) {
        waited++;
        client.socket.resume();
        await wait;
      }
    }
    session.finish();
  };
  await pump();
  const got = await client.rest();
  expect(waited).toBeGreaterThan(0);
  let at = 0;
  const counts = Array.from({ length: 60 }, () => 0);
  while (at < got.length) {
    const length = got.readUInt32BE(at + 4);
    expect(got[at]).toBe(1);
    for (let byte = at + 8; byte < at + 8 + length; byte++) counts[got[byte] ?? 0] = (counts[got[byte] ?? 0] ?? 0) + 1;
    at += 8 + length;
  }
  expect(counts).toEqual(counts.map(() => 100_000));
});

const execFacts: ExecInspect = {
  ID: 'e', Running: false, ExitCode: null, ProcessConfig: { tty: false, entrypoint: 'sh', arguments: [], privileged: false, user: '' },
  OpenStdin: true, OpenStderr: true, OpenStdout: true, CanRemove: false, ContainerID: 'c', DetachKeys: '', Pid: 0,
};

test('exec start: exactly the body is taken, however it is cut; the rest is input', async () => {
  const body = '{"Detach":false,"Tty":false,"ConsoleSize":[24,80]}';
  for (const parts of [[`${body}raw input`], [body.slice(0, 7), body.slice(7), 'raw input'], ['', `${body}raw`, ' input']]) {
    const started = signalled<Recorder>();
    await using server = await serve({
      containers: {
        execInspect: () => execFacts,
        execStart: async (_id, options) => {
          expect(options.consoleSize).toEqual([24, 80]);
          if (options.sink === undefined) throw new Error('detached');
          const session = new Recorder(options.sink);
          started.resolve(session);
          return session;
        },
      },
    });
    const head = `POST /exec/e/start HTTP/1.1\r\n${upgrade}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
    const client = server.connect().send(head + (parts[0] ?? ''));
    for (const part of parts.slice(1)) {
      // Lets the first part travel on its own.
      await Bun.sleep(10);
      client.send(part);
    }
    await client.until('\r\n\r\n');
    client.endInput();
    const session = await started.promise;
    await session.inputEnded.promise;
    expect(session.text).toBe('raw input');
    session.finish();
    await client.rest();
  }
});

test('failures before the stream are HTTP errors; a command that cannot run is told on the stream', async () => {
  let failure = new EngineError('conflict', 'Container c is not running');
  await using server = await serve({
    containers: {
      execInspect: () => execFacts,
      execStart: () => Promise.reject(failure),
      hasTty: () => {
        throw new EngineError('notFound', 'No such container: c');
      },
    },
  });
  const start = `POST /exec/e/start HTTP/1.1\r\n${upgrade}Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}`;
  const conflict = (await server.connect().send(start).rest()).toString();
  expect(conflict).toStartWith('HTTP/1.1 409 Conflict\r\n');
  expect(conflict).toEndWith('\r\n\r\n{"message":"Container c is not running"}\n');
  failure = new EngineError('invalidArgument', 'exec: "nope": executable file not found in $PATH: unknown', { exitCode: 127 });
  const notFound = (await server.connect().send(start).endInput().rest()).toString('latin1');
  expect(notFound).toStartWith('HTTP/1.1 101 UPGRADED\r\n');
  expect(notFound).toEndWith('executable file not found in $PATH: unknown\r\n');
  const missing = (await server.connect().send(`POST /containers/c/attach HTTP/1.1\r\n${upgrade}\r\n`).rest()).toString();
  expect(missing).toStartWith('HTTP/1.1 404 Not Found\r\n');
  expect(missing).toEndWith('{"message":"No such container: c"}\n');
});

test('an output that breaks off is an error frame, and nothing more', async () => {
  const { server, attached } = await attachServer(false);
  await using _server = server;
  const client = server.connect().send(`POST /containers/c/attach?stream=1&stdout=1 HTTP/1.1\r\n${upgrade}\r\n`);
  await client.until('\r\n\r\n');
  const session = await attached;
  session.sink.fail(new Error('monitor gone'));
  void session.sink.write(1, Buffer.from('too late'));
  expect((await client.rest()).toString('latin1')).toBe('\x03\0\0\0\0\0\0\x0cmonitor gone');
});

test('a session that has ended before its client left is let go of', async () => {
  const sinks: WeakRef<OutputSink>[] = [];
  await using server = await serve({
    containers: {
      hasTty: () => true,
      attach: async (_reference, _options, sink) => {
        sinks.push(new WeakRef(sink));
        const session = new Recorder(sink);
        setImmediate(() => session.finish());
        return session;
      },
    },
  });
  const count = 10;
  for (let n = 0; n < count; n++) {
    const client = server.connect().send(`POST /containers/c/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\n${upgrade}\r\n`);
    await client.rest();
    client.endInput();
  }
  expect(sinks.length).toBe(count);
  // The collector may take a value on the stack for a reference: one or two may stay.
  const left = (): number => sinks.filter((sink) => sink.deref() !== undefined).length;
  await waitUntil('the sessions to be collected', () => {
    Bun.gc(true);
    return left() <= 2;
  });
});
