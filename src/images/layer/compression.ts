import { spawn } from 'node:child_process';
import { Readable, type Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip, createZstdDecompress } from 'node:zlib';
import { EngineError, errnoOf, messageOf } from '../../base/index.ts';
import { ZstdFrames } from './zstd-frames.ts';

export type Compression = 'none' | 'gzip' | 'zstd' | 'xz' | 'bzip2';

export interface DecompressOptions {
  /** What may come out, whatever went in. */
  limitBytes: number;
  signal: AbortSignal;
}

const marks: readonly (readonly [Compression, readonly number[]])[] = [
  ['gzip', [0x1f, 0x8b]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ['bzip2', [0x42, 0x5a, 0x68]],
];
const markBytesMax = 6;
/** The size of the pieces that come out: a smaller one costs more turns of the event loop than bytes. */
const pieceBytes = 256 * 1024;
/** What xz may take to unpack; its own highest preset needs 65 MiB. */
const xzMemory = '128MiB';

/** The compression that the first bytes of a stream tell. */
export function detectCompression(start: Uint8Array): Compression {
  for (const [name, mark] of marks) if (mark.every((byte, index) => start[index] === byte)) return name;
  return 'none';
}

/**
 * Uncompresses a stream of any of the known compressions, told by its first bytes; others come out as they are.
 * The stream fails with EngineError invalidArgument for broken data, tooLarge beyond the limit, unsupported where the host lacks the tool.
 */
export function decompress(source: AsyncIterable<Uint8Array>, options: DecompressOptions): Readable {
  return Readable.from(decompressed(source, options), { objectMode: false, highWaterMark: pieceBytes });
}

async function* decompressed(source: AsyncIterable<Uint8Array>, { limitBytes, signal }: DecompressOptions): AsyncGenerator<Uint8Array> {
  const input = source[Symbol.asyncIterator]();
  const abort = new AbortController();
  try {
    const first: Uint8Array[] = [];
    let firstBytes = 0;
    while (firstBytes < markBytesMax) {
      const { value, done } = await input.next();
      if (done) break;
      first.push(value);
      firstBytes += value.length;
    }
    const whole = rejoin(first, input);
    const compression = detectCompression(Buffer.concat(first));
    let bytes = 0;
    for await (const piece of through(whole, compression, AbortSignal.any([signal, abort.signal]))) {
      bytes += piece.length;
      if (bytes > limitBytes) throw new EngineError('tooLarge', `Cannot uncompress: more than ${limitBytes} bytes come out`);
      yield piece;
    }
  } finally {
    abort.abort();
    await input.return?.();
  }
}

async function* rejoin(first: readonly Uint8Array[], rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* first;
  for (;;) {
    const { value, done } = await rest.next();
    if (done) return;
    yield value;
  }
}

function through(source: AsyncIterable<Uint8Array>, compression: Compression, signal: AbortSignal): AsyncIterable<Uint8Array> {
  switch (compression) {
    case 'none': return source;
    case 'gzip': return throughStream(source, createGunzip({ chunkSize: pieceBytes }), compression, signal);
    case 'zstd': return throughStream(wholeFrames(source), createZstdDecompress({ chunkSize: pieceBytes }), compression, signal);
    case 'xz': return throughTool(source, ['xz', '-dc', `--memlimit-decompress=${xzMemory}`], signal);
    case 'bzip2': return throughTool(source, ['bzip2', '-dc'], signal);
  }
}

async function* throughStream(source: AsyncIterable<Uint8Array>, codec: Duplex, name: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  let sourceError: unknown;
  const watched = async function* () {
    try {
      yield* source;
    } catch (error) {
      sourceError = error;
      throw error;
    }
  };
  const piped = pipeline(watched, codec, { signal });
  piped.catch(() => undefined);
  try {
    yield* codec;
    await piped;
  } catch (error) {
    signal.throwIfAborted();
    if (sourceError !== undefined) throw sourceError;
    throw new EngineError('invalidArgument', `Cannot uncompress: the ${name} data is broken: ${messageOf(error)}`, { cause: error });
  }
}

/** Fails where a zstd stream does not consist of whole frames. */
async function* wholeFrames(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const frames = new ZstdFrames();
  for await (const chunk of source) {
    if (!frames.feed(chunk)) throw new EngineError('invalidArgument', 'Cannot uncompress: the zstd data is broken: what follows is no frame');
    yield chunk;
  }
  if (!frames.complete) throw new EngineError('invalidArgument', 'Cannot uncompress: the zstd data is broken: it ends within a frame');
}

type Command = readonly [name: string, ...args: string[]];

async function* throughTool(source: AsyncIterable<Uint8Array>, command: Command, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const [name, ...args] = command;
  const child = spawn(name, args, { stdio: ['pipe', 'pipe', 'pipe'], signal, killSignal: 'SIGKILL' });
  const ended = new Promise<string>((resolve) => {
    let complaint = '';
    child.stderr.on('data', (text: Buffer) => {
      if (complaint.length < 1000) complaint += text.toString();
    });
    child.on('error', (error) => resolve(errnoOf(error) === 'ENOENT' ? 'missing' : messageOf(error)));
    child.on('close', (status) => resolve(status === 0 ? '' : complaint.trim() || `status ${String(status)}`));
  });
  let sourceError: unknown;
  const fed = pipeline(source, child.stdin, { signal }).catch((error: unknown) => {
    // EPIPE: the tool stopped reading; it says why itself.
    if (errnoOf(error) !== 'EPIPE') sourceError = error;
    child.kill('SIGKILL');
  });
  try {
    yield* child.stdout;
    await fed;
    const failure = await ended;
    signal.throwIfAborted();
    if (sourceError !== undefined) throw sourceError;
    if (failure === 'missing') throw new EngineError('unsupported', `Cannot uncompress ${name} data: ${name} is not installed`);
    if (failure !== '') throw new EngineError('invalidArgument', `Cannot uncompress: the ${name} data is broken: ${failure}`);
  } finally {
    child.kill('SIGKILL');
  }
}

/** Between speed and size: about the size of the default, in half its time. */
const gzipLevel = 4;

/** Compresses a stream with gzip, which every reader of layers takes. */
export function gzipped(source: Readable): Readable {
  const codec = createGzip({ level: gzipLevel, chunkSize: pieceBytes });
  pipeline(source, codec).catch((error: unknown) => codec.destroy(error instanceof Error ? error : new Error(messageOf(error))));
  return codec;
}
