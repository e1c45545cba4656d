import { messageOf } from '../base/index.ts';
import { commandLineOf } from './command-line.ts';
import type { Container } from './container.ts';
import type { EngineContext } from './context.ts';
import { settleExit } from './exit.ts';
import { sigkill } from './kill-run.ts';

/** How often the monitors of running containers are looked at, ms. */
const lookEveryMs = 2000;

/**
 * A container whose conmon was killed has lost its log, its terminal and the one who tells its exit. Guide 1.3.1.3: it ends with its monitor.
 * What is missing at two looks is really gone: an exit file that was just written reaches the engine in between.
 */
export function watchMonitors(ctx: EngineContext): Disposable {
  const missing = new Set<Container>();
  const timer = setInterval(() => {
    for (const container of ctx.store.all()) look(ctx, container, missing);
  }, lookEveryMs);
  timer.unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

function look(ctx: EngineContext, container: Container, missing: Set<Container>): void {
  const { process } = container.dynamics;
  const run = container.run;
  if (!container.isRunning || !process || !run || commandLineOf(process.conmonPid).includes(container.id)) {
    missing.delete(container);
    return;
  }
  if (!missing.has(container)) {
    missing.add(container);
    return;
  }
  end(ctx, container, run).catch((error: unknown) => {
    ctx.logger.error(`Cannot end container ${container.id}, whose monitor is gone: ${messageOf(error)}`);
  });
}

/** Kills what still runs; the look after that finds it ended and takes the exit in. */
async function end(ctx: EngineContext, container: Container, run: NonNullable<Container['run']>): Promise<void> {
  const { process } = container.dynamics;
  if (process && ctx.runtime.isAlive(process)) {
    ctx.logger.warn(`The monitor (conmon) of container ${container.id} is gone: the container is killed`);
    ctx.runtime.signal(process, sigkill);
    ctx.runtime.killAll(container.record.cgroupPath);
    if (container.state.status === 'paused') await ctx.runtime.thaw(container.record.cgroupPath);
    return;
  }
  run.markExited();
  await container.lane.run(() => settleExit(ctx, container, run));
}
