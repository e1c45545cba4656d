import { closeSync } from 'node:fs';
import { EngineError, type OutputSink, type OutputStream, type ProcessSession } from '../base/index.ts';
import { makePipe, widenPipe } from '../linux/index.ts';
import { readPidFile } from './bundle.ts';
import type { ExecJob } from './exec.ts';
import { runtimeFailure } from './failure.ts';
import { killExec } from './kill-exec.ts';
import { childEnvironment, stopSignal } from './run-command.ts';
import type { ExecHandle } from './types.ts';

/** The runtime writes the pid file when the process is about to run: looked for at growing distances. */
const pidPauseFirstMs = 1;
const pidPauseLastMs = 16;
const startTimeoutMs = 120_000;
/** Output that a background child of the process still holds open after its end is not waited for longer. */
const lateOutputMs = 2000;
const errorTextLimitBytes = 64 * 1024;

/**
 * `exec` as our direct child. Real pipes, not the socket pairs that Bun.spawn makes: a process may open /dev/stdout, which a
 * socket refuses (ENXIO). And never /dev/null: crun before 1.24 and runc 1.1 give what stands there to the process's user, and this
 * one is the host's (containers/crun#1845).
 */
export async function execDirect(job: ExecJob, sink: OutputSink): Promise<ExecHandle> {
  const { request } = job;
  const output = makePipe();
  const errors = makePipe();
  const input = makePipe();
  widenPipe(output.read);
  widenPipe(input.read);
  const child = spawn(job, input, output, errors);
  const relay = new Relay(sink);
  const readers = [new PipeReader(output.read, 1, relay), new PipeReader(errors.read, 2, relay)];
  const stdin = request.openStdin ? new PipeWriter(input.write) : undefined;
  if (!stdin) closeSync(input.write);
  if (request.isProbe) return probeOf(job, child, readers, relay);
  const stop = stopSignal({ timeoutMs: startTimeoutMs, signal: request.signal });
  try {
    const pid = await waitForStart(job, child.exited, stop.promise);
    if (typeof pid !== 'number') {
      child.kill('SIGKILL');
      await child.exited;
      // Nobody waits for a process that the runtime started in its last moment.
      killExec(job);
      throw pid;
    }
    if (pid === 0) {
      await Promise.all(readers.map((reader) => reader.finish(lateOutputMs)));
      throw runtimeFailure(relay.heldErrors(), { action: 'exec', args: request.process.args, cwd: request.process.cwd });
    }
    relay.open();
    return handleOf(pid, child, readers, relay, stdin, request.signal);
  } catch (error) {
    for (const reader of readers) reader.cancel();
    stdin?.end();
    throw error;
  } finally {
    stop.clear();
  }
}

interface Child {
  exited: Promise<number>;
  kill(signal: 'SIGKILL'): void;
}

function spawn(job: ExecJob, input: Pipe, output: Pipe, errors: Pipe): Child {
  const { launch, request } = job;
  const argv = [
    job.ctx.executableOf(launch.runtime.path), ...launch.runtime.args, `--root=${launch.runtimeRoot}`,
    'exec', '--process', job.processPath, '--pid-file', job.pidFile, request.containerId,
  ];
  // `detached` (setsid) is in Bun but not in its types: a session of its own, so that a signal to the daemon's terminal is not one to
  // this process.
  const own = { env: childEnvironment, cwd: '/', detached: true };
  try {
    return Bun.spawn(argv, { stdio: [input.read, output.write, errors.write], ...own });
  } catch (cause) {
    for (const fd of [output.read, errors.read, input.write]) closeSync(fd);
    throw new EngineError('unavailable', `Cannot run ${launch.runtime.path}`, { cause });
  } finally {
    for (const fd of [input.read, output.write, errors.write]) closeSync(fd);
  }
}

interface Pipe {
  read: number;
  write: number;
}

/** Without a look at when the process starts: its end says whether it did. */
function probeOf(job: ExecJob, child: Child, readers: PipeReader[], relay: Relay): ExecHandle {
  const { args, cwd } = job.request.process;
  const { signal } = job.request;
  relay.openAtOnce();
  const kill = (): void => {
    if (!killExec(job)) child.kill('SIGKILL');
  };
  if (signal?.aborted) kill();
  signal?.addEventListener('abort', kill, { once: true });
  const exit = child.exited.then(async (code) => {
    signal?.removeEventListener('abort', kill);
    // Nobody waits for a process that the runtime started in its last moment.
    if (signal?.aborted) killExec(job);
    const hasStarted = readPidFile(job.pidFile) !== undefined;
    await Promise.all(readers.map((reader) => reader.finish(lateOutputMs)));
    relay.end();
    if (!hasStarted) throw runtimeFailure(relay.heldErrors(), { action: 'exec', args, cwd });
    return code;
  });
  const session: ProcessSession = { writeInput: () => undefined, closeInput() {}, detach() {}, closed: exit.then(() => undefined, () => undefined) };
  return { pid: 0, session, exit, resize() {} };
}

/** The pid; 0 when the runtime ended without having started anything; an error when nobody waits any more. */
async function waitForStart(job: ExecJob, exited: Promise<number>, stop: Promise<EngineError>): Promise<number | EngineError> {
  let ended = false;
  void exited.then(() => (ended = true));
  for (let pauseMs = pidPauseFirstMs; ; pauseMs = Math.min(pauseMs * 2, pidPauseLastMs)) {
    const over = ended;
    const pid = readPidFile(job.pidFile);
    if (pid !== undefined) return pid;
    if (over) return 0;
    const stopped = await Promise.race([Bun.sleep(pauseMs), exited, stop]);
    if (stopped instanceof EngineError) return stopped;
  }
}

function handleOf(
  pid: number, child: Child, readers: PipeReader[], relay: Relay, stdin: PipeWriter | undefined, signal: AbortSignal | undefined,
): ExecHandle {
  const closed = Promise.withResolvers<void>();
  // A client that leaves does not end the process (docker): its output goes nowhere, its input ends.
  const detach = (): void => {
    relay.leave();
    stdin?.end();
    closed.resolve();
  };
  if (signal?.aborted) detach();
  signal?.addEventListener('abort', detach, { once: true });
  const exit = child.exited.then(async (code) => {
    await Promise.all(readers.map((reader) => reader.finish(lateOutputMs)));
    stdin?.end();
    relay.end();
    signal?.removeEventListener('abort', detach);
    closed.resolve();
    return code;
  });
  const session: ProcessSession = {
    writeInput: (chunk) => stdin?.write(chunk),
    closeInput: () => stdin?.end(),
    detach,
    closed: closed.promise,
  };
  return { pid, session, exit, resize() {} };
}

/**
 * Between the pipes and the sink. Until the process has started, standard error may be the runtime's own: it is held back, and is
 * the error's text when nothing starts. Standard output can only be the process's.
 */
class Relay {
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  #opened = Promise.withResolvers<void>();
  #isOpen = false;
  #keeps = false;
  #sink: OutputSink | undefined;

  constructor(sink: OutputSink) {
    this.#sink = sink;
  }

  write(stream: OutputStream, chunk: Uint8Array): Promise<void> | undefined {
    const holds = stream === 2 && this.#heldBytes < errorTextLimitBytes;
    if (holds && (this.#keeps || !this.#isOpen)) {
      this.#held.push(chunk.slice());
      this.#heldBytes += chunk.length;
    }
    if (this.#isOpen) return this.#sink?.write(stream, chunk);
    return holds ? undefined : this.#opened.promise.then(() => this.#sink?.write(stream, chunk));
  }

  /** Standard error is passed on and kept, until what is kept is much. */
  openAtOnce(): void {
    this.#keeps = true;
    this.#openNow();
  }

  open(): void {
    if (this.#held.length > 0) {
      // What comes meanwhile must come after: the promise below is not settled before the held text is delivered.
      const first = this.#sink?.write(2, Buffer.concat(this.#held));
      this.#held = [];
      if (first) {
        void first.catch(() => this.leave()).then(() => this.#openNow());
        return;
      }
    }
    this.#openNow();
  }

  #openNow(): void {
    this.#isOpen = true;
    this.#opened.resolve();
  }

  heldErrors(): string {
    return Buffer.concat(this.#held).toString('utf8');
  }

  leave(): void {
    const sink = this.#sink;
    this.#sink = undefined;
    sink?.end();
  }

  end(): void {
    this.leave();
  }
}

/** Reads a pipe into the relay, one chunk at a time. */
class PipeReader {
  readonly #reader;
  readonly #ended: Promise<void>;
  /** Since when the pipe has nothing for us; undefined while the sink has. */
  #idleSince: number | undefined;

  constructor(readonly fd: number, readonly stream: OutputStream, readonly relay: Relay) {
    this.#reader = Bun.file(fd).stream().getReader();
    this.#ended = this.#run();
  }

  async #run(): Promise<void> {
    try {
      for (;;) {
        this.#idleSince = performance.now();
        const { done, value } = await this.#reader.read();
        this.#idleSince = undefined;
        if (done) return;
        const wait = this.relay.write(this.stream, value);
        if (wait) await wait.catch(() => this.relay.leave());
      }
    } catch {
      // Cancelled, or the pipe broke: there is no more either way.
    } finally {
      closeSync(this.fd);
    }
  }

  /** After the process's end: delivers what is left, however slow the sink; who else holds the pipe is waited for only so long. */
  async finish(lateMs: number): Promise<void> {
    const end = performance.now();
    let ended = false;
    void this.#ended.then(() => (ended = true));
    while (!ended) {
      const idle = this.#idleSince === undefined ? 0 : performance.now() - Math.max(end, this.#idleSince);
      if (idle >= lateMs) break;
      const timer = Promise.withResolvers<void>();
      const handle = setTimeout(timer.resolve, lateMs - idle);
      await Promise.race([this.#ended, timer.promise]);
      clearTimeout(handle);
    }
    this.cancel();
  }

  cancel(): void {
    void this.#reader.cancel().catch(() => undefined);
  }
}

/** Writes a pipe with backpressure. Bun copies what it cannot write at once; a reader that is gone swallows the rest. */
class PipeWriter {
  readonly #sink;
  #ended = false;

  constructor(fd: number) {
    this.#sink = Bun.file(fd).writer({ highWaterMark: 256 * 1024 });
    closeSync(fd);
  }

  write(chunk: Uint8Array): Promise<void> | undefined {
    if (this.#ended) return undefined;
    try {
      const written = this.#sink.write(chunk);
      const flushed = this.#sink.flush();
      if (typeof written === 'number' && typeof flushed === 'number') return undefined;
      return Promise.all([written, flushed]).then(() => undefined, () => this.end());
    } catch {
      this.end();
      return undefined;
    }
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    void (async () => {
      try {
        await this.#sink.end();
      } catch {
        // EPIPE: the process closed its input or ended.
      }
    })();
  }
}
