import { EngineError, failPoint } from '../base/index.ts';
import { parseSignal } from '../model/index.ts';
import type { Container } from './container.ts';
import type { EngineContext } from './context.ts';
import { cancelRestart, settleExit } from './exit.ts';
import { killRun, killWaitMs, sigkill, waitForExit } from './kill-run.ts';
import { publish } from './publish.ts';
import { isFrozenForCopy } from './root-access.ts';
import { startContainer } from './start.ts';

/** Docker's default time between the stop signal and SIGKILL. */
const defaultStopSeconds = 10;

export interface StopOptions {
  /** Undefined: the container's own; -1: wait for ever; 0: kill at once. */
  timeoutSeconds: number | undefined;
  signal?: string;
  /** Kill at once. */
  force?: boolean;
}

function refusePaused(container: Container, verb: string): void {
  if (container.state.status === 'paused') {
    throw new EngineError('conflict', `Container ${container.name} is paused. Unpause the container before ${verb}`);
  }
}

/** Sends the stop signal, waits, kills. Not in the lane while it waits to begin: a kill may come in between. */
export async function stopContainer(ctx: EngineContext, container: Container, options: StopOptions): Promise<void> {
  const signal = parseSignal(options.signal || container.record.config.StopSignal || 'SIGTERM');
  await container.lane.run(async () => {
    if (await cancelRestart(ctx, container)) return;
    refusePaused(container, 'stopping or killing');
    if (container.state.status !== 'running') throw new EngineError('notModified', `Container ${container.name} is already stopped`);
    await endRun(ctx, container, signal, options);
    publish(ctx, container, 'stop');
  });
}

async function endRun(ctx: EngineContext, container: Container, signal: number, options: StopOptions): Promise<void> {
  const seconds = options.force ? 0 : (options.timeoutSeconds ?? container.record.config.StopTimeout ?? defaultStopSeconds);
  container.stopRequested = true;
  // Durable before the signal: a daemon that dies now must not let a policy revive what the user stopped.
  container.dynamics.manuallyStopped = true;
  await ctx.store.saveDynamics(container);
  failPoint('stop.saved');
  const process = container.dynamics.process;
  const run = container.run;
  if (!process || !run) throw new EngineError('internal', `Cannot stop container ${container.id}: its process is unknown`);
  let ended = false;
  if (seconds !== 0) {
    ctx.runtime.signal(process, signal);
    publish(ctx, container, 'kill', { signal: String(signal) });
    ended = await waitForExit(run.exited, seconds < 0 ? undefined : seconds * 1000);
  }
  if (!ended) await killRun(ctx, container, true);
  failPoint('stop.ended');
  await settleExit(ctx, container, run);
}

/** Sends a signal without the lane, so that a stop that waits can be overtaken; waits for the end when it is SIGKILL. */
export async function killContainer(ctx: EngineContext, container: Container, signalName: string): Promise<void> {
  const signal = parseSignal(signalName || 'SIGKILL');
  if (container.state.status === 'restarting') {
    await container.lane.run(() => cancelRestart(ctx, container));
    return;
  }
  refusePaused(container, 'stopping or killing');
  const { process, state } = { process: container.dynamics.process, state: container.state };
  if (state.status !== 'running' || !process) {
    throw new EngineError('conflict', `Cannot kill container: ${container.name}: Container ${container.id} is not running`);
  }
  const stopSignal = parseSignal(container.record.config.StopSignal || 'SIGTERM');
  if (signal === sigkill || signal === stopSignal) {
    container.stopRequested = true;
    container.dynamics.manuallyStopped = true;
    await ctx.store.saveDynamics(container);
  }
  const run = container.run;
  if (!ctx.runtime.signal(process, signal)) {
    // It has just ended: the exit that is on its way settles it.
    if (run) await waitForExit(run.exited, killWaitMs);
    return;
  }
  publish(ctx, container, 'kill', { signal: String(signal) });
  if (signal !== sigkill || !run) return;
  if (isFrozenForCopy(container)) await ctx.runtime.thaw(container.record.cgroupPath);
  if (await waitForExit(run.exited, killWaitMs)) await container.lane.run(() => settleExit(ctx, container, run));
}

/** Stop, if it runs, and start again; resets nothing but the run. */
export async function restartContainer(ctx: EngineContext, container: Container, options: StopOptions): Promise<void> {
  const signal = parseSignal(options.signal || container.record.config.StopSignal || 'SIGTERM');
  await container.lane.run(async () => {
    if (container.removing) throw new EngineError('conflict', `Container ${container.name} is marked for removal and cannot be started`);
    refusePaused(container, 'restarting');
    await cancelRestart(ctx, container);
    if (container.state.status === 'running') {
      // A restart does not remove a --rm container between its two runs.
      const autoRemove = container.record.hostConfig.AutoRemove;
      container.record.hostConfig.AutoRemove = false;
      try {
        await endRun(ctx, container, signal, options);
        publish(ctx, container, 'stop');
        failPoint('restart.stopped');
      } finally {
        container.record.hostConfig.AutoRemove = autoRemove;
      }
    }
    await startContainer(ctx, container, {});
    publish(ctx, container, 'restart');
  });
}
