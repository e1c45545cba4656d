import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { EngineError, isEngineError, type Logger, type OutputSink, type ProcessSession } from '../../base/index.ts';
import type { Engine } from '../../engine/index.ts';
import { HijackedStream, readUpgradeBody } from '../wire/index.ts';
import { hasBody, jsonBodyMax, jsonBodyMs, parseJsonBody, readBody } from './body.ts';
import { failureOf } from './errors.ts';
import type { Query } from './query.ts';
import type { ApiVersion } from './version.ts';

export interface CallParts {
  readonly engine: Engine;
  readonly logger: Logger;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly version: ApiVersion;
  readonly query: Query;
  readonly parameters: Readonly<Record<string, string>>;
  /** Of an upgrade request: what the parser had read behind its head. */
  readonly upgrade: { readonly socket: Socket; readonly head: Buffer } | undefined;
}

/** One request, and the ways to answer it. */
export class Call {
  readonly engine: Engine;
  readonly logger: Logger;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly version: ApiVersion;
  readonly query: Query;
  readonly #parts: CallParts;
  #signal: AbortSignal | undefined;
  #hijacked = false;

  constructor(parts: CallParts) {
    this.#parts = parts;
    this.engine = parts.engine;
    this.logger = parts.logger;
    this.request = parts.request;
    this.response = parts.response;
    this.version = parts.version;
    this.query = parts.query;
  }

  /** A part of the path, by its name in the route's pattern. */
  parameter(name: string): string {
    return this.#parts.parameters[name] ?? '';
  }

  header(name: string): string {
    const value = this.request.headers[name];
    return typeof value === 'string' ? value : '';
  }

  /** Aborts when the client leaves before it was answered. */
  get signal(): AbortSignal {
    if (this.#signal !== undefined) return this.#signal;
    const gone = new AbortController();
    this.#signal = gone.signal;
    const abort = (): void => {
      if (!this.response.writableFinished) gone.abort(new EngineError('cancelled', 'the client closed the connection'));
    };
    this.response.once('close', abort);
    if (this.#parts.upgrade !== undefined) this.#parts.upgrade.socket.once('close', abort);
    if (this.request.socket.destroyed) abort();
    return this.#signal;
  }

  get hasBody(): boolean {
    return hasBody(this.request);
  }

  /** The JSON body, undefined when there is none. @throws invalidArgument, tooLarge, timeout */
  async json(): Promise<unknown> {
    const { upgrade } = this.#parts;
    const bytes = upgrade === undefined
      ? await readBody(this.request)
      : await readUpgradeBody(this.request, upgrade.socket, upgrade.head, jsonBodyMax, AbortSignal.timeout(jsonBodyMs));
    return parseJsonBody(bytes, this.request.headers['content-type']);
  }

  /** Answers with JSON. */
  send(status: number, value: unknown): void {
    this.#sendText(status, `${JSON.stringify(value)}\n`);
  }

  /** Answers with JSON whose text is at hand. */
  #sendText(status: number, text: string): void {
    const body = Buffer.from(text);
    this.response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': String(body.length) });
    this.response.end(body);
  }

  /** Answers without a body. */
  empty(status: number): void {
    this.response.writeHead(status, status === 204 || status === 304 ? {} : { 'Content-Length': '0' });
    this.response.end();
  }

  /** Begins an answer whose body comes piece by piece; the client has its head at once. */
  begin(contentType: string): void {
    this.response.writeHead(200, { 'Content-Type': contentType });
    this.response.flushHeaders();
  }

  get hijacked(): boolean {
    return this.#hijacked;
  }

  /**
   * Turns the connection into a byte stream (moby: hijack) between the client and the session that `connect` gives, until either
   * ends. A failure to connect is an HTTP error. `terminal`: raw output; else multiplexed, with the media type that says so from
   * API 1.42 on. Older clients take the connection over without asking for `Upgrade: tcp`.
   */
  async hijack(
    { terminal, stdin }: { terminal: boolean; stdin: boolean },
    connect: (sink: OutputSink, signal: AbortSignal) => Promise<ProcessSession | undefined>,
  ): Promise<void> {
    const { upgrade, request, response, version } = this.#parts;
    const raw = 'application/vnd.docker.raw-stream';
    const type = !terminal && upgrade !== undefined && version.atLeast('1.42') ? 'application/vnd.docker.multiplexed-stream' : raw;
    const kept = Object.entries(response.getHeaders()).filter(([name]) => name !== 'connection');
    const headers = kept.map(([name, value]) => `${name}: ${String(value)}`);
    const socket = upgrade?.socket ?? request.socket;
    this.#hijacked = true;
    response.detachSocket(socket);
    const status = upgrade === undefined ? ['HTTP/1.1 200 OK'] : ['HTTP/1.1 101 UPGRADED', 'Connection: Upgrade', 'Upgrade: tcp'];
    const stream = new HijackedStream(socket, { head: [...status, `Content-Type: ${type}`, ...headers].join('\r\n'), multiplexed: !terminal });
    try {
      const session = await connect(stream, stream.signal);
      if (session === undefined) stream.end();
      else await stream.run(session, stdin);
    } catch (error) {
      const { status: code, message } = failureOf(error);
      if (code === 500) this.logger.error(`${request.method} ${request.url}: ${message}`);
      if (stream.opened) {
        stream.fail(error instanceof Error ? error : new Error(message));
      } else if (isEngineError(error) && error.exitCode !== undefined) {
        // Docker: a command that cannot be run is told on the stream; clients take 126 or 127 from the exec session.
        void stream.write(2, Buffer.from(`${message}\r\n`));
        stream.end();
      } else {
        const body = `${JSON.stringify({ message })}\n`;
        const about = ['Connection: close', 'Content-Type: application/json', `Content-Length: ${Buffer.byteLength(body)}`];
        stream.refuse(`${[`HTTP/1.1 ${code} ${STATUS_CODES[code] ?? 'Error'}`, ...about, ...headers].join('\r\n')}\r\n\r\n${body}`);
      }
    }
  }
}
