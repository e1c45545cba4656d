import type { Container, RunHandles } from './container.ts';
import type { EngineContext } from './context.ts';
import { healthCheckOf } from './health.ts';
import { parseLogOptions } from './logs/index.ts';
import { publish } from './publish.ts';
import { killRun } from './kill-run.ts';
import { settleExit } from './exit.ts';
import { messageOf } from '../base/index.ts';

/** Begins what accompanies a run: log rotation and health checks. `run.stop` ends both. */
export function watchRun(ctx: EngineContext, container: Container, run: RunHandles): void {
  const { record, dynamics, id } = container;
  const log = parseLogOptions(record.hostConfig.LogConfig, ctx.options.containerLog);
  // With one file conmon itself keeps the limit; see `launch`.
  const rotates = record.logPath !== '' && log.maxFiles > 1 && Number.isFinite(log.maxBytes);
  if (rotates) ctx.rotator.track(id, { path: record.logPath, maxBytes: log.maxBytes, maxFiles: log.maxFiles });
  const check = healthCheckOf(record.config.Healthcheck, record.config.Shell);
  const state = container.state;
  if (check && state.status !== 'created') {
    dynamics.health = ctx.health.start(id, {
      check,
      startedAt: 'startedAt' in state ? (state.startedAt ?? 0) : 0,
      ...(dynamics.health ? { log: dynamics.health.Log } : {}),
      probe: (command, output, signal) => ctx.execs.probe(container, command, output, signal),
      onResult(health, changed) {
        dynamics.health = health;
        if (!changed) return ctx.store.saveLater(container);
        void ctx.store.saveDynamics(container).catch((error: unknown) => ctx.logger.error(messageOf(error)));
        publish(ctx, container, `health_status: ${health.Status}`);
      },
      onUnhealthyExit: () => void killUnhealthy(ctx, container, run),
    });
  } else dynamics.health = undefined;
  run.stop = () => {
    ctx.rotator.untrack(id);
    ctx.health.stop(id);
  };
}

/** `--health-exit-on-unhealthy`: not a stop by a user, so the restart policy applies. */
async function killUnhealthy(ctx: EngineContext, container: Container, run: RunHandles): Promise<void> {
  if (container.run !== run) return;
  try {
    ctx.logger.warn(`Container ${container.id} is unhealthy and is killed`);
    await killRun(ctx, container, false);
    await container.lane.run(() => settleExit(ctx, container, run));
  } catch (error) {
    ctx.logger.error(`Cannot kill unhealthy container ${container.id}: ${messageOf(error)}`);
  }
}

