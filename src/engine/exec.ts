import { EngineError, failPoint, isEngineError, isExecId, newExecId } from '../base/index.ts';
import type { ExecId, OutputSink, ProcessSession } from '../base/index.ts';
import { execProcess, type OciProcess } from '../runtime/index.ts';
import { lookupUser } from '../security/index.ts';
import { withDetachKeys } from './attach.ts';
import type { Container, RunHandles } from './container.ts';
import { bundlePath } from './context.ts';
import type { EngineContext } from './context.ts';
import { parseDetachKeys } from './detach-keys.ts';
import { endWithExitCode, ExecSession } from './exec-session.ts';
import { publish } from './publish.ts';
import { mergeEnv } from './env.ts';
import { identityRootOf, umaskOf } from './spec-input.ts';
import type { ExecConfig } from './types.ts';

/** Ended exec sessions that are kept per container for `inspect`. */
const maxEndedExecs = 64;
/** Live and fresh ones a container may have. */
const maxOpenExecs = 4096;
/** The exit status of a session that could not be started. */
const exitCannotStart = 126;

const probeConfig: ExecConfig = {
  AttachStdin: false, AttachStdout: true, AttachStderr: true, DetachKeys: '', Tty: false, Env: [], Cmd: [], Privileged: false, User: '',
  WorkingDir: '',
};

export interface ExecStart {
  sink: OutputSink | undefined;
  tty: boolean;
  consoleSize?: [number, number];
  signal?: AbortSignal;
}

export class ExecRegistry {
  readonly #probeProcesses = new WeakMap<RunHandles, OciProcess>();

  constructor(readonly ctx: EngineContext) {}

  create(container: Container, config: ExecConfig): ExecId {
    refuseExec(container);
    this.ctx.runtime.anticipate();
    if (config.Cmd.length === 0 || config.Cmd[0] === '') throw new EngineError('invalidArgument', 'No exec command specified');
    parseDetachKeys(config.DetachKeys);
    this.#dropEnded(container);
    if (container.execs.size >= maxOpenExecs) {
      throw new EngineError('resourceExhausted', `Cannot exec in container ${container.name}: it has ${maxOpenExecs} exec sessions already`);
    }
    const session = new ExecSession(newExecId(), container.id, config);
    container.execs.set(session.id, session);
    this.ctx.store.execOwners.set(session.id, container);
    publish(this.ctx, container, `exec_create: ${config.Cmd.join(' ')}`, { execID: session.id });
    return session.id;
  }

  find(reference: string): { container: Container; session: ExecSession } {
    const container = isExecId(reference) ? this.ctx.store.execOwners.get(reference) : undefined;
    const session = container && isExecId(reference) ? container.execs.get(reference) : undefined;
    if (!container || !session) throw new EngineError('notFound', `No such exec instance: ${reference}`);
    return { container, session };
  }

  async start(reference: string, options: ExecStart): Promise<ProcessSession | undefined> {
    const { container, session } = this.find(reference);
    if (session.state !== 'created') throw new EngineError('conflict', `Error: Exec command ${session.id} has already run`);
    refuseExec(container);
    session.state = 'running';
    const { ctx } = this;
    const { config } = session;
    try {
      const process = this.#process(container, config, options);
      const streams = options.sink ? endWithExitCode(options.sink, session) : undefined;
      const handle = await ctx.runtime.exec({
        execId: session.id,
        containerId: container.id,
        bundlePath: bundlePath(ctx.options, container.id),
        runtime: container.dynamics.runtime,
        process,
        openStdin: config.AttachStdin && streams !== undefined,
        sink: streams?.sink,
        ...(options.signal ? { signal: options.signal } : {}),
      });
      failPoint('exec.started');
      session.handle = handle;
      session.pid = handle.pid;
      session.started.resolve();
      publish(ctx, container, `exec_start: ${config.Cmd.join(' ')}`, { execID: session.id });
      void handle.exit.then(
        (code) => this.#ended(container, session, code),
        () => this.#ended(container, session, 255),
      );
      if (!streams) return undefined;
      const keys = config.Tty ? parseDetachKeys(config.DetachKeys) : undefined;
      return withDetachKeys(streams.attach(handle.session), keys, () => publish(ctx, container, 'exec_detach', { execID: session.id }));
    } catch (error) {
      const failure = asExecFailure(error);
      this.#ended(container, session, isEngineError(failure) ? (failure.exitCode ?? exitCannotStart) : exitCannotStart);
      throw failure;
    }
  }

  /** A health check: an exec without a session, killed when the signal aborts. */
  async probe(container: Container, command: readonly string[], output: OutputSink, signal: AbortSignal): Promise<number> {
    const { ctx } = this;
    refuseExec(container);
    const process = this.#probeProcess(container, command, output);
    const handle = await ctx.runtime.exec({
      execId: newExecId(),
      containerId: container.id,
      bundlePath: bundlePath(ctx.options, container.id),
      runtime: container.dynamics.runtime,
      process,
      openStdin: false,
      sink: output,
      isProbe: true,
      signal,
    });
    return handle.exit;
  }

  /** The same for all checks of a run. */
  #probeProcess(container: Container, command: readonly string[], output: OutputSink): OciProcess {
    const { run } = container;
    const known = run && this.#probeProcesses.get(run);
    if (known) return known;
    const process = this.#process(container, { ...probeConfig, Cmd: [...command] }, { tty: false, sink: output });
    if (run) this.#probeProcesses.set(run, process);
    return process;
  }

  #process(container: Container, config: ExecConfig, options: ExecStart) {
    const { ctx } = this;
    const { record } = container;
    const user = config.User || record.config.User;
    const identity = lookupUser(identityRootOf(ctx, container), user, record.hostConfig.GroupAdd);
    const tty = config.Tty;
    const defaults = [...(tty ? ['TERM=xterm'] : []), `HOME=${identity.home}`];
    const size = options.consoleSize ?? config.ConsoleSize;
    return execProcess({
      config: record.config,
      hostConfig: record.hostConfig,
      facts: ctx.runtime.facts,
      identity,
      umask: umaskOf(ctx, record),
      tty,
      privileged: config.Privileged,
      args: [...config.Cmd],
      env: mergeEnv(defaults, record.config.Env, config.Env),
      cwd: config.WorkingDir || record.config.WorkingDir || '/',
      ...(size ? { consoleSize: { height: size[0], width: size[1] } } : {}),
    });
  }

  #ended(container: Container, session: ExecSession, exitCode: number): void {
    if (session.state === 'ended') return;
    session.state = 'ended';
    session.exitCode = exitCode;
    session.handle = undefined;
    session.started.resolve();
    session.ended.resolve();
    publish(this.ctx, container, 'exec_die', { execID: session.id, exitCode: String(exitCode) });
  }

  #dropEnded(container: Container): void {
    const ended = [...container.execs.values()].filter((session) => session.state === 'ended');
    for (const session of ended.slice(0, Math.max(0, ended.length - maxEndedExecs))) this.#drop(container, session.id);
  }

  #drop(container: Container, id: ExecId): void {
    container.execs.delete(id);
    this.ctx.store.execOwners.delete(id);
  }
}

function refuseExec(container: Container): void {
  const { status } = container.state;
  if (status === 'paused') throw new EngineError('conflict', `Container ${container.name} is paused, unpause the container before exec`);
  if (status === 'restarting') throw new EngineError('conflict', `Container ${container.id} is restarting, wait until the container is running`);
  if (status !== 'running') throw new EngineError('conflict', `Container ${container.id} is not running`);
}

/** A user or group that the container has not is, as in docker, a command that cannot be executed: told on the stream, status 126. */
function asExecFailure(error: unknown): unknown {
  if (!isEngineError(error) || error.code !== 'invalidArgument' || error.exitCode !== undefined) return error;
  return new EngineError(error.code, error.message, { cause: error, exitCode: exitCannotStart });
}
