import { EngineError } from '../base/index.ts';
import type { ContainerId, ExecId, OutputSink, ProcessSession } from '../base/index.ts';
import type { ExecHandle } from '../runtime/index.ts';
import type { ExecConfig, ExecInspect } from './types.ts';

/** How long a size waits for an exec that is about to start (docker's). */
const resizeWaitMs = 10_000;

/** One exec: made, started at most once, kept for a while after its end for those who ask for its exit code. */
export class ExecSession {
  state: 'created' | 'running' | 'ended' = 'created';
  exitCode: number | null = null;
  pid = 0;
  handle: ExecHandle | undefined;
  /** Settles when the process runs, and when it never will. */
  readonly started = Promise.withResolvers<void>();
  /** Settles when its exit code is known. */
  readonly ended = Promise.withResolvers<void>();

  constructor(readonly id: ExecId, readonly containerId: ContainerId, readonly config: ExecConfig) {}

  /** A client sends its size as soon as it has sent the start: the process may not be there yet. @throws conflict */
  async resize(height: number, width: number): Promise<void> {
    if (!this.handle && this.state !== 'ended') {
      const late = Promise.withResolvers<void>();
      const timer = setTimeout(late.resolve, resizeWaitMs);
      await Promise.race([this.started.promise, late.promise]);
      clearTimeout(timer);
    }
    if (!this.handle) throw new EngineError('conflict', `Cannot resize exec ${this.id}: its process is not running`);
    this.handle.resize(height, width);
  }

  inspect(): ExecInspect {
    const { config } = this;
    return {
      ID: this.id,
      Running: this.state === 'running',
      ExitCode: this.exitCode,
      ProcessConfig: {
        tty: config.Tty,
        entrypoint: config.Cmd[0] ?? '',
        arguments: config.Cmd.slice(1),
        privileged: config.Privileged,
        user: config.User,
      },
      OpenStdin: config.AttachStdin,
      OpenStderr: config.AttachStderr,
      OpenStdout: config.AttachStdout,
      CanRemove: false,
      ContainerID: this.containerId,
      DetachKeys: config.DetachKeys,
      Pid: this.pid,
    };
  }
}

/** Both sides of one client's session. */
export interface ExecStreams {
  readonly sink: OutputSink;
  attach(session: ProcessSession): ProcessSession;
}

/**
 * Lets a client see the end of the output only once `inspect` knows the exit code: docker's command line asks for it then, once, and takes
 * a missing one for 0. A client that leaves waits for nothing.
 */
export function endWithExitCode(sink: OutputSink, exec: ExecSession): ExecStreams {
  const left = Promise.withResolvers<void>();
  const over = Promise.race([exec.ended.promise, left.promise]);
  return {
    sink: { write: (stream, chunk) => sink.write(stream, chunk), end: () => void over.then(() => sink.end()), fail: (error) => sink.fail(error) },
    attach: (session) => ({
      writeInput: (chunk) => session.writeInput(chunk),
      closeInput: () => session.closeInput(),
      detach() {
        left.resolve();
        session.detach();
      },
      closed: session.closed.then(() => over),
    }),
  };
}
