import { EngineError, failPoint } from '../base/index.ts';
import { validateUpdate } from '../model/index.ts';
import type { ResourceUpdate } from '../model/index.ts';
import type { Container } from './container.ts';
import type { EngineContext } from './context.ts';
import { publish } from './publish.ts';

/**
 * Changes limits and the restart policy. A running container's cgroup is changed first: what the kernel refuses (a limit below what is in
 * use) changes nothing; then the record, so that the limits hold after a restart.
 */
export async function updateContainer(ctx: EngineContext, container: Container, update: ResourceUpdate): Promise<{ Warnings: string[] }> {
  return container.lane.run(async () => {
    const { record } = container;
    if (container.removing) throw new EngineError('conflict', `Container ${container.name} is marked for removal and cannot be updated`);
    const { hostConfig: after, warnings } = validateUpdate(record.hostConfig, update, ctx.runtime.facts);
    const before = record.hostConfig;
    const resources = Object.keys(update).some((key) => key !== 'RestartPolicy');
    if (container.isRunning && resources) {
      try {
        await ctx.runtime.updateResources(record.cgroupPath, after);
      } catch (error) {
        // Whatever was applied before the refusal goes back to what the record says.
        await ctx.runtime.updateResources(record.cgroupPath, before).catch(() => undefined);
        throw error;
      }
    }
    failPoint('update.applied');
    record.hostConfig = after;
    try {
      await ctx.store.saveRecord(container);
    } catch (error) {
      record.hostConfig = before;
      throw error;
    }
    failPoint('update.saved');
    publish(ctx, container, 'update');
    return { Warnings: warnings };
  });
}
