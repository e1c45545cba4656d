import { EngineError, failPoint } from '../base/index.ts';
import type { Container } from './container.ts';
import type { EngineContext } from './context.ts';
import { publish } from './publish.ts';
import { isFrozenForCopy } from './root-access.ts';

export async function pauseContainer(ctx: EngineContext, container: Container): Promise<void> {
  await container.lane.run(async () => {
    const state = container.state;
    if (state.status === 'paused') throw new EngineError('conflict', `Container ${container.name} is already paused`);
    if (state.status !== 'running') throw new EngineError('conflict', `Container ${container.id} is not running`);
    await ctx.runtime.freeze(container.record.cgroupPath);
    failPoint('pause.frozen');
    container.dynamics.state = { ...state, status: 'paused' };
    // A copy that ended meanwhile thaws what it froze; from here on none does.
    await ctx.runtime.freeze(container.record.cgroupPath);
    await ctx.store.saveDynamics(container);
    failPoint('pause.saved');
    ctx.health.pause(container.id);
    publish(ctx, container, 'pause');
  });
}

export async function unpauseContainer(ctx: EngineContext, container: Container): Promise<void> {
  await container.lane.run(async () => {
    const state = container.state;
    if (state.status !== 'paused') throw new EngineError('conflict', `Container ${container.id} is not paused`);
    // A copy that needs it to stand still lets it go on when it ends.
    if (!isFrozenForCopy(container)) await ctx.runtime.thaw(container.record.cgroupPath);
    failPoint('unpause.thawed');
    container.dynamics.state = { ...state, status: 'running' };
    await ctx.store.saveDynamics(container);
    failPoint('unpause.saved');
    ctx.health.resume(container.id);
    publish(ctx, container, 'unpause');
  });
}
