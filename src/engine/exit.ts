import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { failPoint, messageOf, nowMs } from '../base/index.ts';
import { umountAll } from '../linux/index.ts';
import type { ExitFacts } from '../model/index.ts';
import type { Container, RunHandles } from './container.ts';
import { bundlePath } from './context.ts';
import type { EngineContext } from './context.ts';
import { unmountExternalRoot } from './external-root.ts';
import { stopMounts } from './mounts-start.ts';
import { publish } from './publish.ts';
import { nextRestartDelay, restartsAfterExit } from './restart-policy.ts';
import { shmDirectory } from './spec-input.ts';

/** The exit code of a container whose end nobody saw (docker's). */
const unknownExitCode = 255;

/**
 * Takes in the end of a container's run. Runs in its lane; a second call for the same run, or one that comes when the next run has begun,
 * does nothing.
 *
 * Order: the exit becomes durable, then it is announced, then what the run left is cleaned; a crash in between is repaired at the next
 * start, which cleans after every container that does not run.
 */
export async function settleExit(ctx: EngineContext, container: Container, run: RunHandles | undefined): Promise<void> {
  if (container.run !== run) return;
  const { dynamics, record } = container;
  const state = dynamics.state;
  if (state.status !== 'running' && state.status !== 'paused') return;
  run?.stop();
  const exit = ctx.runtime.readExit(container.id, bundlePath(ctx.options, container.id));
  const facts: ExitFacts = {
    exitCode: exit?.exitCode ?? unknownExitCode,
    oomKilled: exit?.oomKilled ?? false,
    error: '',
    startedAt: state.startedAt,
    finishedAt: exit?.finishedAt ?? nowMs(),
  };
  const manuallyStopped = dynamics.manuallyStopped || container.stopRequested;
  const restarts =
    !container.removing &&
    restartsAfterExit(record.hostConfig.RestartPolicy, { exitCode: facts.exitCode, restartCount: dynamics.restartCount, manuallyStopped });
  dynamics.process = undefined;
  dynamics.manuallyStopped = manuallyStopped;
  dynamics.state = { status: restarts ? 'restarting' : 'exited', ...facts };
  container.notify();
  if (dynamics.health) dynamics.health = { ...dynamics.health, Status: dynamics.health.Status === 'none' ? 'none' : 'unhealthy' };
  const removes = record.hostConfig.AutoRemove && !restarts;
  // A container that goes away needs no record of its exit: the end of the record is the one durable step.
  const isSaved = removes || (await ctx.store.saveSoon(container));
  if (!removes) failPoint('exit.saved');
  if (facts.oomKilled) publish(ctx, container, 'oom');
  const ranSeconds = Math.max(0, Math.round((facts.finishedAt - facts.startedAt) / 1000));
  publish(ctx, container, 'die', { exitCode: String(facts.exitCode), execDuration: String(ranSeconds) });
  const result = { StatusCode: facts.exitCode };
  container.settleWaiters(restarts ? ['next-exit'] : ['next-exit', 'not-running'], result);
  // Not saved: the exit file stays for the next start.
  await cleanRun(ctx, container, { keepExit: !isSaved });
  if (removes) {
    await ctx.afterExit.remove(container, result);
    return;
  }
  if (restarts) scheduleRestart(ctx, container, facts.finishedAt - facts.startedAt);
}

/** Removes what a run left: runtime state, cgroup, mounts, bundle. May be repeated; a failure is logged and left to the next start. */
export async function cleanRun(ctx: EngineContext, container: Container, options: { keepExit?: boolean } = {}): Promise<void> {
  const bundle = bundlePath(ctx.options, container.id);
  container.run = undefined;
  container.stopRequested = false;
  try {
    await ctx.runtime.remove(container.id, container.dynamics.runtime, bundle);
    failPoint('clean.runtime');
    await undoMounts(ctx, container, bundle);
    await ctx.snapshots.unmountContainer(container.id);
    failPoint('clean.unmounted');
    await rm(bundle, { recursive: true, force: true });
    failPoint('clean.bundle');
    if (options.keepExit !== true) ctx.runtime.clearExit(container.id);
    failPoint('clean.exit');
  } catch (error) {
    ctx.logger.error(`Cannot clean after container ${container.id}: ${messageOf(error)}`);
  }
}

async function undoMounts(ctx: EngineContext, container: Container, bundle: string): Promise<void> {
  const { mounts } = container.record;
  await stopMounts({ container: container.id, mounts, directory: join(bundle, 'mounts'), volumes: ctx.volumes });
  umountAll(shmDirectory(bundle));
  if (container.record.hostConfig.ExternalRootfs !== '') unmountExternalRoot(bundle);
}

/** Waits the back-off and starts the container again, unless someone stops, removes or starts it before. */
export function scheduleRestart(ctx: EngineContext, container: Container, ranMs: number): void {
  container.restartDelayMs = nextRestartDelay(container.restartDelayMs, ranMs);
  container.restartTimer = setTimeout(() => {
    container.restartTimer = undefined;
    void container.lane.run(() => restartNow(ctx, container));
  }, container.restartDelayMs);
}

async function restartNow(ctx: EngineContext, container: Container): Promise<void> {
  if (container.removing || container.state.status !== 'restarting') return;
  container.dynamics.restartCount++;
  try {
    await ctx.afterExit.restart(container);
  } catch (error) {
    ctx.logger.error(`Cannot restart container ${container.id}: ${messageOf(error)}`);
    const state = container.state;
    const policy = container.record.hostConfig.RestartPolicy;
    const { restartCount, manuallyStopped } = container.dynamics;
    // The failed start left it as it was: a policy that has tries left goes on trying.
    if (state.status !== 'restarting') return;
    if (restartsAfterExit(policy, { exitCode: state.exitCode === 0 ? 1 : state.exitCode, restartCount, manuallyStopped })) {
      scheduleRestart(ctx, container, 0);
      return;
    }
    container.dynamics.state = { ...state, status: 'exited', error: messageOf(error) };
    await ctx.store.saveSoon(container);
    container.notify();
    container.settleWaiters(['not-running'], { StatusCode: state.exitCode });
  }
}

/** Takes a restart back that was only waited for; the container stays exited. */
export async function cancelRestart(ctx: EngineContext, container: Container): Promise<boolean> {
  clearTimeout(container.restartTimer);
  container.restartTimer = undefined;
  const state = container.state;
  if (state.status !== 'restarting') return false;
  container.dynamics.state = { ...state, status: 'exited' };
  container.dynamics.manuallyStopped = true;
  container.notify();
  await ctx.store.saveSoon(container);
  container.settleWaiters(['not-running', 'next-exit'], { StatusCode: state.exitCode });
  return true;
}
