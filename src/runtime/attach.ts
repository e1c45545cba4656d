import { closeSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError, errnoOf, messageOf, type OutputSink, type ProcessSession } from '../base/index.ts';
import { connectFd, connectSeqpacket, duplicateFd, joinPending, processStat, receivePending } from '../linux/index.ts';
import { bundleFiles, readLaunch, readPidFile } from './bundle.ts';

/**
 * conmon's attach protocol (a SOCK_SEQPACKET socket): each packet from conmon is one byte, 2 for standard output or 3 for
 * standard error, and up to 8 KB of data; each packet to conmon is input as it is, at most 32 KB of it are read.
 */
const stdoutMark = 2;
const stderrMark = 3;
const inputPacketLimitBytes = 32768;
const outputPacketLimitBytes = 8192 + 1;
/** What a socket's buffer holds of such packets, about. */
const joinedBytes = 192 * 1024;
/** conmon listens with a short queue: so often, and so far apart, a full one is tried again. */
const connectTries = 500;
const connectPauseMs = 2;
/**
 * conmon stands while a client does not read, and then does not see its process end either. A client that took nothing for so long
 * after the process's end is given up.
 */
const stuckClientMs = 10_000;

interface PacketSocket {
  write(data: Uint8Array): number;
  pause(): void;
  resume(): void;
  shutdown(halfClose?: boolean): void;
  end(): void;
}

/** One connection to conmon. Its sink can be changed, so that a connection may outlive its session. */
class Connection {
  #socket: PacketSocket | undefined;
  /**
   * The same socket. A process that ends before it read all its input leaves its last output behind an error, at which Bun 1.4.5 closes
   * what it has without reading on.
   */
  #last: number | undefined;
  #sink: OutputSink | undefined;
  /** Holds joined packets until the sink has taken them. */
  #joined: Uint8Array | undefined;
  #blocked: Promise<void> | undefined;
  #onDrain: (() => void) | undefined;
  #input: Promise<void> | undefined;
  #inputClosed = false;
  #done = false;
  #stuckTimer: ReturnType<typeof setTimeout> | undefined;
  #finished = Promise.withResolvers<void>();

  /** @param lives whether the process that conmon watches lives */
  constructor(readonly lives: () => boolean) {}

  /** Settles when conmon closed the connection and all output was delivered. */
  get finished(): Promise<void> {
    return this.#finished.promise;
  }

  get done(): boolean {
    return this.#done;
  }

  async open(path: string, sink: OutputSink): Promise<void> {
    this.#sink = sink;
    const fd = await connectPatiently(path);
    this.#last = duplicateFd(fd);
    this.#socket = await connectFd(fd, {
      data: (_socket, packet) => this.#take(packet),
      drain: () => this.#drained(),
      end: () => this.#closed(),
      close: () => this.#closed(),
      error: () => this.#closed(),
    });
  }

  setSink(sink: OutputSink | undefined): void {
    this.#sink = sink;
  }

  /** A packet of full size is one of many: those behind it are taken with it. */
  #take(packet: Uint8Array): void {
    if (packet.length < outputPacketLimitBytes || this.#blocked !== undefined || this.#last === undefined || this.#done) {
      this.#deliver(packet);
      return;
    }
    this.#joined ??= new Uint8Array(joinedBytes);
    for (const run of joinPending(this.#last, packet, this.#joined, outputPacketLimitBytes)) this.#deliver(run);
  }

  #deliver(packet: Uint8Array): void {
    const mark = packet[0];
    const stream = mark === stdoutMark ? 1 : mark === stderrMark ? 2 : undefined;
    if (stream === undefined || this.#sink === undefined) return;
    const data = packet.subarray(1);
    // A packet that was on its way when reading paused waits its turn.
    const wait = this.#blocked ? this.#blocked.then(() => this.#sink?.write(stream, data)) : this.#sink.write(stream, data);
    if (wait === undefined) return;
    if (!this.#blocked && !this.#done) this.#socket?.pause();
    this.#watchStuck();
    const blocked = wait.catch(() => this.setSink(undefined)).then(() => {
      if (this.#blocked === blocked) this.#unblock();
    });
    this.#blocked = blocked;
  }

  #unblock(): void {
    this.#blocked = undefined;
    clearTimeout(this.#stuckTimer);
    if (!this.#done) this.#socket?.resume();
  }

  #watchStuck(): void {
    clearTimeout(this.#stuckTimer);
    this.#stuckTimer = setTimeout(() => {
      if (this.lives()) {
        this.#watchStuck();
        return;
      }
      const sink = this.#sink;
      this.setSink(undefined);
      sink?.fail(new EngineError('timeout', `The client took no output for ${stuckClientMs / 1000} s after the process ended`));
      this.#unblock();
    }, stuckClientMs);
    this.#stuckTimer.unref();
  }

  #drained(): void {
    const onDrain = this.#onDrain;
    this.#onDrain = undefined;
    onDrain?.();
  }

  #closed(): void {
    if (this.#done) return;
    this.#done = true;
    this.#socket?.end();
    this.#drained();
    this.#takeLast();
    const finish = (): void => {
      this.#sink?.end();
      this.#finished.resolve();
    };
    const blocked = this.#blocked;
    if (blocked) void blocked.then(finish);
    else finish();
  }

  #takeLast(): void {
    if (this.#last === undefined) return;
    if (this.#sink !== undefined) for (const packet of receivePending(this.#last, outputPacketLimitBytes)) this.#deliver(packet);
    closeSync(this.#last);
    this.#last = undefined;
  }

  /** Input in the order of the calls; a promise when conmon takes no more at once. */
  write(chunk: Uint8Array): Promise<void> | undefined {
    if (this.#done || this.#inputClosed) return undefined;
    if (this.#input === undefined) {
      const sent = this.#send(chunk);
      if (sent === chunk.length) return undefined;
      chunk = chunk.subarray(sent);
    }
    const rest = chunk;
    const mine: Promise<void> = (this.#input ?? Promise.resolve()).then(() => this.#sendAll(rest)).finally(() => {
      if (this.#input === mine) this.#input = undefined;
    });
    this.#input = mine;
    return mine;
  }

  /** Bytes that went out at once. */
  #send(chunk: Uint8Array): number {
    let sent = 0;
    while (sent < chunk.length && !this.#done) {
      const packet = chunk.subarray(sent, sent + inputPacketLimitBytes);
      // A packet goes whole or not at all.
      if ((this.#socket?.write(packet) ?? 0) < packet.length) break;
      sent += packet.length;
    }
    return this.#done ? chunk.length : sent;
  }

  async #sendAll(chunk: Uint8Array): Promise<void> {
    for (let sent = this.#send(chunk); sent < chunk.length; sent += this.#send(chunk.subarray(sent))) {
      await new Promise<void>((resolve) => (this.#onDrain = resolve));
    }
  }

  closeInput(): void {
    if (this.#inputClosed) return;
    this.#inputClosed = true;
    const close = (): void => {
      if (!this.#done) this.#socket?.shutdown();
    };
    if (this.#input) void this.#input.then(close);
    else close();
  }

  close(): void {
    this.setSink(undefined);
    this.#closed();
  }
}

async function connectPatiently(path: string): Promise<number> {
  for (let tries = 1; ; tries++) {
    try {
      return connectSeqpacket(path);
    } catch (error) {
      const code = errnoOf(error);
      if (code === 'EAGAIN' && tries < connectTries) {
        await Bun.sleep(connectPauseMs);
        continue;
      }
      if (code === 'ENOENT' || code === 'ECONNREFUSED') {
        throw new EngineError('conflict', 'Cannot attach: the container is not running', { cause: error });
      }
      throw new EngineError('internal', `Cannot attach: ${messageOf(error)}`, { cause: error });
    }
  }
}

/** Takes everything and keeps nothing. */
export const nowhere: OutputSink = { write: () => undefined, end() {}, fail() {} };

/**
 * Where conmon closes the container's stdin once any client leaves (stdinOnce), a client that only looks must not leave at all.
 * Its connection is kept here, reading to nowhere, for the next one that only looks: never more than there were lookers at once.
 */
const kept = new Map<string, Connection[]>();

function keep(bundlePath: string, connection: Connection): void {
  if (connection.done) return;
  connection.setSink(nowhere);
  const list = kept.get(bundlePath) ?? [];
  kept.set(bundlePath, list);
  list.push(connection);
  void connection.finished.then(() => {
    const at = list.indexOf(connection);
    if (at >= 0) list.splice(at, 1);
    if (list.length === 0) kept.delete(bundlePath);
  });
}

/** Attaches to the process behind `<directory>/attach`. @throws conflict: nobody listens there. */
export async function attachTo(
  directory: string, sink: OutputSink, options: { stdin: boolean; stdinOnce: boolean; pidFile: string; signal?: AbortSignal | undefined },
): Promise<ProcessSession> {
  const onlyLooks = options.stdinOnce && !options.stdin;
  let connection = onlyLooks ? kept.get(directory)?.pop() : undefined;
  if (connection) connection.setSink(sink);
  else {
    connection = new Connection(livesByPidFile(options.pidFile));
    await connection.open(join(directory, bundleFiles.attachSocket), sink);
  }
  const live = connection;
  const left = Promise.withResolvers<void>();
  let gone = false;
  const detach = (): void => {
    if (gone || live.done) return;
    gone = true;
    if (onlyLooks) keep(directory, live);
    else live.close();
    sink.end();
    left.resolve();
  };
  if (options.signal?.aborted) detach();
  options.signal?.addEventListener('abort', detach, { once: true });
  const closed = Promise.race([live.finished, left.promise]).finally(() => options.signal?.removeEventListener('abort', detach));
  return {
    writeInput: (chunk) => (options.stdin && !gone ? live.write(chunk) : undefined),
    closeInput() {
      if (options.stdin && !gone) live.closeInput();
    },
    detach,
    closed,
  };
}

/** Attaches to a container. @throws conflict when it does not run. */
export async function attachContainer(
  bundlePath: string, sink: OutputSink, options: { stdin: boolean; signal?: AbortSignal },
): Promise<ProcessSession> {
  const launch = readLaunch(bundlePath);
  if (!launch) throw new EngineError('conflict', 'Cannot attach: the container is not running');
  // A terminal's stdin is left open by conmon whatever its clients do (conmonArguments).
  const stdinOnce = launch.stdinOnce && launch.openStdin && !launch.terminal;
  const pidFile = join(bundlePath, bundleFiles.initPid);
  return attachTo(bundlePath, sink, { stdin: options.stdin && launch.openStdin, stdinOnce, pidFile, signal: options.signal });
}

/** The process of a pid file as it is at the first question: an exec's file comes after its attach. */
function livesByPidFile(pidFile: string): () => boolean {
  return () => {
    const pid = readPidFile(pidFile);
    const stat = pid === undefined ? undefined : processStat(pid);
    return stat !== undefined && stat.state !== 'Z' && stat.state !== 'X';
  };
}
