import { EngineError } from '../base/index.ts';
import type { Container } from './container.ts';
import type { EngineContext } from './context.ts';
import { isFrozenForCopy } from './root-access.ts';
import { publish } from './publish.ts';

/** How long an exit may take to show after SIGKILL before the engine reports it. */
export const killWaitMs = 30_000;
export const sigkill = 9;
/** The longest wait that a timer takes. */
const timerMaxMs = 2_147_483_647;

/**
 * SIGKILL to all of a container that runs, and the wait for its end; the caller settles the exit. Works with or without the lane.
 * `byUser`: the restart policy is not to revive it.
 */
export async function killRun(ctx: EngineContext, container: Container, byUser: boolean): Promise<void> {
  const { process } = container.dynamics;
  const run = container.run;
  if (!process || !run) return;
  if (byUser) container.stopRequested = true;
  ctx.runtime.signal(process, sigkill);
  publish(ctx, container, 'kill', { signal: String(sigkill) });
  // Others in a shared pid namespace keep the init's cgroup busy: they go with it.
  ctx.runtime.killAll(container.record.cgroupPath);
  if (container.state.status === 'paused' || isFrozenForCopy(container)) await ctx.runtime.thaw(container.record.cgroupPath);
  if (!(await waitForExit(run.exited, killWaitMs))) {
    throw new EngineError('timeout', `Cannot kill container ${container.id}: it did not end within ${killWaitMs / 1000} s of SIGKILL`);
  }
}

/** False when the time is over first; undefined waits for ever. */
export async function waitForExit(exited: Promise<void>, timeoutMs: number | undefined): Promise<boolean> {
  if (timeoutMs === undefined) {
    await exited;
    return true;
  }
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), Math.min(timeoutMs, timerMaxMs));
  });
  try {
    return await Promise.race([exited.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
