import { mkdirSync } from 'node:fs';
import { EngineError, explainFullDisk, failPoint, isEngineError, messageOf, nowMs } from '../base/index.ts';
import { generateSpec } from '../runtime/index.ts';
import type { RunningProcess } from '../runtime/index.ts';
import type { Container, RunHandles } from './container.ts';
import { bundlePath, containerDir } from './context.ts';
import type { EngineContext } from './context.ts';
import { cleanRun } from './exit.ts';
import { mountExternalRoot } from './external-root.ts';
import { parseLogOptions } from './logs/index.ts';
import { publish } from './publish.ts';
import { prepareSpecInput } from './spec-input.ts';
import { watchRun } from './watch.ts';

export interface StartOptions {
  /** `isula start -R`. */
  runtime?: string;
  /** A restart by the policy: it does not reset the counts. */
  byPolicy?: boolean;
  signal?: AbortSignal;
}

/**
 * Starts a container that does not run; in its lane. Everything it made is undone when it fails.
 *
 * The record says `running` only after the process runs and before the caller is told: a crash in between leaves a process that no record
 * owns, which the next start kills and cleans.
 */
export async function startContainer(ctx: EngineContext, container: Container, options: StartOptions): Promise<void> {
  refuseStart(container);
  const { record, dynamics } = container;
  clearTimeout(container.restartTimer);
  container.restartTimer = undefined;
  const before = { ...dynamics };
  dynamics.runtime = ctx.runtime.resolveRuntime(options.runtime || dynamics.runtime).name;
  const run = newRun();
  container.run = run;
  const bundle = bundlePath(ctx.options, record.id);
  try {
    const process = await launch(ctx, container, bundle, options.signal);
    dynamics.process = process;
    dynamics.bootId = ctx.bootId;
    dynamics.state = { status: 'running', pid: process.pid, startedAt: nowMs() };
    if (!options.byPolicy) {
      dynamics.restartCount = 0;
      dynamics.manuallyStopped = false;
      container.restartDelayMs = 0;
    }
    await ctx.store.saveDynamics(container);
    failPoint('start.saved');
  } catch (cause) {
    const error = explainFullDisk(cause, `Cannot start container ${container.name}`);
    await failStart(ctx, container, before, error);
    throw error;
  }
  publish(ctx, container, 'start');
  watchRun(ctx, container, run);
}

function refuseStart(container: Container): void {
  if (container.removing) throw new EngineError('conflict', `Container ${container.name} is marked for removal and cannot be started`);
  const { status } = container.state;
  if (status === 'running') throw new EngineError('notModified', `Container ${container.name} is already running`);
  if (status === 'paused') throw new EngineError('conflict', 'cannot start a paused container, try unpause instead');
  if (status === 'dead' || status === 'removing') {
    throw new EngineError('conflict', `Container ${container.name} is marked for removal and cannot be started`);
  }
}

function newRun(): RunHandles {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { exited: promise, markExited: resolve, stop() {} };
}

/** A run of an earlier daemon, taken over. */
export function adoptRun(container: Container): RunHandles {
  const run = newRun();
  container.run = run;
  return run;
}

async function launch(ctx: EngineContext, container: Container, bundle: string, signal: AbortSignal | undefined): Promise<RunningProcess> {
  const { record, dynamics } = container;
  const { hostConfig, config } = record;
  // A run that a crash or a failed cleaning left under this id is in the way.
  ctx.runtime.clearExit(record.id);
  ctx.runtime.anticipate();
  mkdirSync(containerDir(ctx.options, record.id), { recursive: true, mode: 0o700 });
  mkdirSync(bundle, { recursive: true, mode: 0o700 });
  const rootfsPath = hostConfig.ExternalRootfs === ''
    ? await ctx.snapshots.mountContainer(record.id)
    : await mountExternalRoot(hostConfig.ExternalRootfs, bundle, { readOnly: hostConfig.ReadonlyRootfs });
  failPoint('start.mounted');
  const input = await prepareSpecInput(ctx, container, rootfsPath);
  const { spec, warnings } = generateSpec(input, ctx.runtime.facts);
  for (const warning of warnings) ctx.logger.warn(`Container ${record.id}: ${warning}`);
  const log = parseLogOptions(hostConfig.LogConfig, ctx.options.containerLog);
  const process = await ctx.runtime.create({
    id: record.id,
    bundlePath: bundle,
    spec,
    runtime: dynamics.runtime,
    openStdin: config.OpenStdin,
    stdinOnce: config.StdinOnce,
    logPath: log.disabled ? undefined : record.logPath,
    logMaxBytes: log.maxFiles === 1 ? log.maxBytes : undefined,
    timeoutMs: ctx.options.startTimeoutMs,
    ...(signal ? { signal } : {}),
  });
  failPoint('start.created');
  await Promise.all([...container.pendingAttaches].map((attach) => attach.connect(bundle)));
  await ctx.runtime.start(record.id, dynamics.runtime, bundle);
  failPoint('start.started');
  return process;
}

/** Docker's exit codes of a container that could not be started: 126 and 127 by the cause, else 128. */
async function failStart(ctx: EngineContext, container: Container, before: Container['dynamics'], error: unknown): Promise<void> {
  for (const attach of container.pendingAttaches) attach.abandon(error instanceof Error ? error : undefined);
  await cleanRun(ctx, container);
  Object.assign(container.dynamics, before);
  container.dynamics.process = undefined;
  const exitCode = isEngineError(error) && error.exitCode !== undefined ? error.exitCode : 128;
  const state = before.state;
  if (state.status === 'created') container.dynamics.state = { status: 'created', exitCode, error: messageOf(error) };
  else if (state.status === 'exited' || state.status === 'restarting') container.dynamics.state = { ...state, exitCode, error: messageOf(error) };
  await ctx.store.saveSoon(container);
  // Docker's rule: a --rm container that cannot be started goes away.
  if (container.record.hostConfig.AutoRemove) await ctx.afterExit.remove(container, { StatusCode: exitCode });
}
