import { EngineError } from '../base/index.ts';
import type { OutputSink, OutputStream, ProcessSession } from '../base/index.ts';
import type { Container, PendingAttach } from './container.ts';
import { bundlePath } from './context.ts';
import type { EngineContext } from './context.ts';
import { DetachFilter, parseDetachKeys } from './detach-keys.ts';
import { readLogs } from './logs/index.ts';
import { publish } from './publish.ts';
import type { AttachOptions } from './types.ts';

/**
 * Attaches to a running container now, or to one that does not run at its next start: between the runtime's create and start, so that
 * nothing of its output is missed (docker run and docker start -a attach first).
 */
export async function attachContainer(
  ctx: EngineContext, container: Container, options: AttachOptions, sink: OutputSink, signal: AbortSignal,
): Promise<ProcessSession> {
  const { status } = container.state;
  if (status === 'paused') throw new EngineError('conflict', `Container ${container.id} is paused, unpause the container before attach`);
  if (status === 'restarting') throw new EngineError('conflict', `Container ${container.id} is restarting, wait until the container is running`);
  if (status === 'removing' || status === 'dead') {
    throw new EngineError('conflict', `Container ${container.id} is marked for removal and cannot be attached`);
  }
  const keys = parseDetachKeys(options.detachKeys);
  const wanted = filterStreams(sink, options);
  if (options.logs) await replayLog(container, options, wanted, signal);
  if (!options.stream) {
    wanted.end();
    return endedSession();
  }
  const stdin = options.stdin && container.record.config.OpenStdin;
  const connect = (bundle: string) => ctx.runtime.attach(bundle, wanted, { stdin, signal });
  const inner = status === 'running' ? await connect(bundlePath(ctx.options, container.id)) : pendingSession(container, connect, wanted, signal);
  const session = withDetachKeys(inner, container.record.config.Tty ? keys : undefined, () => publish(ctx, container, 'detach'));
  container.sessions.add(session);
  void session.closed.finally(() => container.sessions.delete(session));
  publish(ctx, container, 'attach');
  return session;
}

async function replayLog(container: Container, options: AttachOptions, sink: OutputSink, signal: AbortSignal): Promise<void> {
  if (container.record.logPath === '') return;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const relay: OutputSink = { write: (stream, chunk) => sink.write(stream, chunk), end: resolve, fail: reject };
  const { stdout, stderr } = options;
  await readLogs({
    path: container.record.logPath,
    options: { follow: false, stdout, stderr, since: undefined, until: undefined, timestamps: false, tail: undefined, details: false },
    details: '',
    sink: relay,
    signal,
    ended: () => true,
  });
  resolve();
  await promise;
}

function filterStreams(sink: OutputSink, options: AttachOptions): OutputSink {
  if (options.stdout && options.stderr) return sink;
  return {
    write: (stream: OutputStream, chunk: Uint8Array) => ((stream === 1 ? options.stdout : options.stderr) ? sink.write(stream, chunk) : undefined),
    end: () => sink.end(),
    fail: (error) => sink.fail(error),
  };
}

function endedSession(): ProcessSession {
  return { writeInput: () => undefined, closeInput() {}, detach() {}, closed: Promise.resolve() };
}

/** A session that becomes live when the container starts; input waits for it. */
function pendingSession(
  container: Container, connect: (bundle: string) => Promise<ProcessSession>, sink: OutputSink, signal: AbortSignal,
): ProcessSession {
  const closed = Promise.withResolvers<void>();
  const connected = Promise.withResolvers<ProcessSession | undefined>();
  let live: ProcessSession | undefined;
  /** Input that came before the start, in order; the end of input waits for it too. */
  let early: Promise<void> = Promise.resolve();
  let earlyChunks = 0;
  const leave = () => {
    if (!container.pendingAttaches.delete(pending)) return;
    connected.resolve(undefined);
    sink.end();
    closed.resolve();
  };
  const pending: PendingAttach = {
    async connect(bundle) {
      container.pendingAttaches.delete(pending);
      const session = await connect(bundle);
      live = session;
      void session.closed.then(closed.resolve, closed.reject);
      connected.resolve(session);
    },
    abandon: leave,
  };
  container.pendingAttaches.add(pending);
  signal.addEventListener('abort', leave, { once: true });
  return {
    writeInput(chunk) {
      if (live && earlyChunks === 0) return live.writeInput(chunk);
      earlyChunks++;
      // The caller may reuse the chunk only after the promise settles, so it need not be copied.
      early = early.then(async () => {
        const session = await connected.promise;
        await session?.writeInput(chunk);
        earlyChunks--;
      });
      return early;
    },
    closeInput() {
      void early.then(async () => (await connected.promise)?.closeInput());
    },
    detach() {
      if (live) live.detach();
      else leave();
    },
    closed: closed.promise,
  };
}

/** Looks for the detach sequence in a terminal's input and leaves when it comes. */
export function withDetachKeys(session: ProcessSession, keys: Uint8Array | undefined, onDetach: () => void): ProcessSession {
  if (!keys || keys.length === 0) return session;
  const filter = new DetachFilter(keys);
  return {
    writeInput(chunk) {
      const { data, detached } = filter.push(chunk);
      const written = data.length > 0 ? session.writeInput(data) : undefined;
      if (detached) {
        onDetach();
        session.detach();
      }
      return written;
    },
    closeInput: () => session.closeInput(),
    detach: () => session.detach(),
    closed: session.closed,
  };
}
