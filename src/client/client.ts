import { EngineError } from '../base/index.ts';
import type { Endpoint } from './endpoint.ts';
import { daemonError } from './errors.ts';
import { type Body, bodyOf, readHead, type ResponseHead } from './http.ts';
import { Wire } from './wire.ts';

/** A JSON answer beyond this is not one. `inspect` of a thousand containers is about 8 MB. */
const jsonLimitBytes = 256 * 1024 * 1024;
const errorLimitBytes = 1024 * 1024;
const idleWiresMax = 4;

/** Query parameters; undefined and false ones are left out, true is sent as 1. */
export type Query = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

/** A body to send: JSON, or bytes of unknown length. */
export type Upload = { readonly json: unknown } | { readonly stream: () => Promise<Uint8Array | undefined>; readonly type: string };

export interface RequestOptions {
  query?: Query;
  body?: Upload;
  headers?: Readonly<Record<string, string>>;
  /** Aborts by closing the connection, which the daemon takes as the client's leaving. */
  signal?: AbortSignal;
}

export interface Response extends ResponseHead {
  body: Body;
}

const encoder = new TextEncoder();
const lastChunk = encoder.encode('0\r\n\r\n');

/** The daemon's API (Docker Engine API) for one command. Connections are kept and used again. */
export class ApiClient {
  readonly #idle: Wire[] = [];

  constructor(readonly endpoint: Endpoint) {}

  /** A request whose answer is JSON; undefined for an empty one. @throws DaemonError, or unavailable. */
  async json(method: string, path: string, options: RequestOptions = {}): Promise<unknown> {
    const response = await this.open(method, path, options);
    const text = await readText(response.body, jsonLimitBytes);
    if (text === '') return undefined;
    try {
      return JSON.parse(text);
    } catch (error) {
      throw new EngineError('unavailable', `Cannot understand the daemon's answer: it is not JSON`, { cause: error });
    }
  }

  /** A request whose answer is read as it comes. The body must be read to its end, or the client closed. */
  async open(method: string, path: string, options: RequestOptions = {}): Promise<Response> {
    const { wire, head } = await this.#exchange(method, path, options);
    const stop = (): void => wire.close();
    options.signal?.addEventListener('abort', stop, { once: true });
    const body = bodyOf(wire, method, head, (reusable) => {
      options.signal?.removeEventListener('abort', stop);
      if (reusable && wire.usable && this.#idle.length < idleWiresMax) this.#idle.push(wire);
      else wire.close();
    });
    if (head.status >= 300) throw daemonError(head.status, await readText(body, errorLimitBytes));
    return { ...head, body };
  }

  /**
   * A request that turns the connection into a raw stream (attach, exec start): `Upgrade: tcp`. Old daemons answer 200
   * with the stream as body; both are taken.
   */
  async hijack(path: string, options: RequestOptions = {}): Promise<{ head: ResponseHead; wire: Wire }> {
    const headers = { ...options.headers, Connection: 'Upgrade', Upgrade: 'tcp' };
    const { wire, head } = await this.#exchange('POST', path, { ...options, headers });
    if (head.status === 101 || head.status === 200) return { head, wire };
    const body = bodyOf(wire, 'POST', head, () => wire.close());
    throw daemonError(head.status, await readText(body, errorLimitBytes));
  }

  /** Opens a connection before it is needed, so that the next requests need not wait for it. */
  async connect(): Promise<void> {
    this.#idle.push(await Wire.open(this.endpoint));
  }

  close(): void {
    for (const wire of this.#idle.splice(0)) wire.close();
  }

  async #exchange(method: string, path: string, options: RequestOptions): Promise<{ wire: Wire; head: ResponseHead }> {
    options.signal?.throwIfAborted();
    let wire = this.#idle.pop();
    while (wire !== undefined && !wire.usable) wire = this.#idle.pop();
    wire ??= await Wire.open(this.endpoint);
    const used = wire;
    const stop = (): void => used.close();
    options.signal?.addEventListener('abort', stop, { once: true });
    try {
      const head = await send(used, method, path + queryText(options.query), options);
      return { wire: used, head };
    } catch (error) {
      used.close();
      options.signal?.throwIfAborted();
      throw error;
    } finally {
      options.signal?.removeEventListener('abort', stop);
    }
  }
}

async function send(wire: Wire, method: string, target: string, options: RequestOptions): Promise<ResponseHead> {
  const json = options.body !== undefined && 'json' in options.body ? encoder.encode(JSON.stringify(options.body.json)) : undefined;
  let text = `${method} ${target} HTTP/1.1\r\nHost: isulad\r\nUser-Agent: isula\r\n`;
  for (const [name, value] of Object.entries(options.headers ?? {})) text += `${name}: ${value.replace(/[\r\n]/g, '')}\r\n`;
  if (json !== undefined) text += `Content-Type: application/json\r\nContent-Length: ${json.length}\r\n\r\n`;
  else if (options.body !== undefined && 'stream' in options.body) text += `Content-Type: ${options.body.type}\r\nTransfer-Encoding: chunked\r\n\r\n`;
  else text += method === 'POST' || method === 'PUT' ? 'Content-Length: 0\r\n\r\n' : '\r\n';
  await wire.write(json === undefined ? encoder.encode(text) : joined(encoder.encode(text), json));
  const head = readHead(wire);
  if (options.body !== undefined && 'stream' in options.body) await uploadUntil(wire, options.body.stream, head);
  return head;
}

/** Sends a chunked body; a daemon that answers early (it refuses) ends the sending. */
async function uploadUntil(wire: Wire, next: () => Promise<Uint8Array | undefined>, head: Promise<ResponseHead>): Promise<void> {
  let answered = false;
  /** Ends the wait for a chunk. Not Promise.race, which would keep something of every chunk until the answer comes. */
  let wake: () => void = () => undefined;
  const onAnswer = (): void => {
    answered = true;
    wake();
  };
  const early = head.then(onAnswer, onAnswer);
  try {
    while (!answered) {
      const chunk = await new Promise<Uint8Array | undefined>((resolve, reject) => {
        wake = () => resolve(undefined);
        next().then(resolve, reject);
      });
      if (answered) return;
      if (chunk === undefined) break;
      if (chunk.length === 0) continue;
      await wire.write(joined(encoder.encode(`${chunk.length.toString(16)}\r\n`), chunk, crlf));
    }
    if (!answered) await wire.write(lastChunk);
  } catch (error) {
    // A daemon that refuses may close before it has read all: its answer says why.
    if (!(error instanceof EngineError && error.code === 'unavailable')) throw error;
    await early;
  }
}

const crlf = encoder.encode('\r\n');

function joined(...parts: Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.length;
  }
  return all;
}

function queryText(query: Query | undefined): string {
  let text = '';
  const add = (name: string, value: string): void => {
    text += `${text === '' ? '?' : '&'}${name}=${encodeURIComponent(value)}`;
  };
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value === undefined || value === false) continue;
    if (Array.isArray(value)) for (const item of value) add(name, String(item));
    else add(name, value === true ? '1' : String(value));
  }
  return text;
}

/** The whole body as text. @throws tooLarge beyond the limit. */
export async function readText(body: Body, limitBytes: number): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  let size = 0;
  for (let chunk = await body.read(); chunk !== undefined; chunk = await body.read()) {
    size += chunk.length;
    if (size > limitBytes) throw new EngineError('tooLarge', `Cannot read the daemon's answer: it is longer than ${limitBytes} bytes`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

/** A body of JSON documents, one a line (Docker's progress and event streams). */
export async function* jsonLines(body: Body): AsyncGenerator<unknown, void> {
  const decoder = new TextDecoder();
  let rest = '';
  for (let chunk = await body.read(); chunk !== undefined; chunk = await body.read()) {
    rest += decoder.decode(chunk, { stream: true });
    const lines = rest.split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > lineLimitChars) throw new EngineError('tooLarge', 'Cannot read the daemon\'s answer: a line is too long');
    for (const line of lines) if (line.trim() !== '') yield parseLine(line);
  }
  if (rest.trim() !== '') yield parseLine(rest);
}

const lineLimitChars = 16 * 1024 * 1024;

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    throw new EngineError(
      'unavailable', `Cannot understand the daemon's answer: bad JSON line ${JSON.stringify(line.slice(0, 80))}`, { cause: error },
    );
  }
}
