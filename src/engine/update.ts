import { EngineError, failPoint } from '../base/index.ts';
import { validateUpdate } from '../model/index.ts';
import type { ResourceUpdate } from '../model/index.ts';
import type { Container } from './container.ts';
import type { EngineContext } from './context.ts';
import { publish } from './publish.ts';

/**
 * Changes limits and the restart policy. A running container's cgroup is changed first: what the kernel refuses (a limit below what is in
 * use) changes nothing; then the record, so that the limits hold after a restart. A mark tells a later daemon to apply the record again.
 */
export async function updateContainer(ctx: EngineContext, container: Container, update: ResourceUpdate): Promise<{ Warnings: string[] }> {
  return container.lane.run(async () => {
    const { record } = container;
    if (container.removing) throw new EngineError('conflict', `Container ${container.name} is marked for removal and cannot be updated`);
    const { hostConfig: after, warnings } = validateUpdate(record.hostConfig, update, ctx.runtime.facts);
    const before = record.hostConfig;
    const resources = Object.keys(update).some((key) => key !== 'RestartPolicy');
    if (container.isRunning && resources) {
      await mark(ctx, container, true);
      try {
        await ctx.runtime.updateResources(record.cgroupPath, after);
      } catch (error) {
        // Whatever was applied before the refusal goes back to what the record says.
        await ctx.runtime.updateResources(record.cgroupPath, before).catch(() => undefined);
        await mark(ctx, container, false);
        throw error;
      }
    }
    failPoint('update.applied');
    record.hostConfig = after;
    try {
      await Promise.all([ctx.store.saveRecord(container), mark(ctx, container, false)]);
    } catch (error) {
      record.hostConfig = before;
      container.dynamics.updating = true;
      if (container.isRunning && resources) await ctx.runtime.updateResources(record.cgroupPath, before).catch(() => undefined);
      throw error;
    }
    failPoint('update.saved');
    publish(ctx, container, 'update');
    return { Warnings: warnings };
  });
}

async function mark(ctx: EngineContext, container: Container, updating: boolean): Promise<void> {
  if ((container.dynamics.updating === true) === updating) return;
  container.dynamics.updating = updating;
  await ctx.store.saveDynamics(container);
}

/** After a crash: a running container's limits are made those of its record, where they may be others. */
export async function finishUpdate(ctx: EngineContext, container: Container): Promise<void> {
  if (container.dynamics.updating !== true) return;
  await ctx.runtime.updateResources(container.record.cgroupPath, container.record.hostConfig);
  await mark(ctx, container, false);
}
