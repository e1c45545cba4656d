import { rm } from 'node:fs/promises';
import { EngineError, failPoint, messageOf } from '../base/index.ts';
import type { Container } from './container.ts';
import { containerDir } from './context.ts';
import type { EngineContext } from './context.ts';
import { cancelRestart, cleanRun, settleExit } from './exit.ts';
import { publish } from './publish.ts';
import { killRun } from './kill-run.ts';
import type { WaitResult } from './types.ts';

export interface RemoveRequest {
  force: boolean;
  volumes: boolean;
}

export async function removeContainer(ctx: EngineContext, container: Container, options: RemoveRequest): Promise<void> {
  refuseRunning(container, options.force);
  if (options.force && container.isRunning) {
    // Outside the lane, so that it overtakes a stop that waits.
    container.removing = true;
    try {
      await killRun(ctx, container, true);
    } catch (error) {
      container.removing = false;
      throw error;
    }
  }
  await container.lane.run(async () => {
    if (ctx.store.get(container.id) !== container) return;
    container.removing = false;
    refuseRunning(container, options.force);
    if (options.force && container.isRunning) {
      container.removing = true;
      const run = container.run;
      await killRun(ctx, container, true);
      await settleExit(ctx, container, run);
      if (ctx.store.get(container.id) !== container) return;
    }
    await cancelRestart(ctx, container);
    await discardContainer(ctx, container, { volumes: options.volumes });
  });
}

function refuseRunning(container: Container, force: boolean): void {
  if (force) return;
  const { status } = container.state;
  if (status !== 'running' && status !== 'paused' && status !== 'restarting') return;
  const first = status === 'paused' ? 'Unpause and then stop' : 'Stop';
  const advice = `${first} the container before attempting removal or force remove`;
  throw new EngineError('conflict', `You cannot remove a ${status} container ${container.id}. ${advice}`);
}

/**
 * Makes a container that does not run disappear. In its lane.
 *
 * Order: the record is marked (`removing` is durable, so that a crash goes on with the removal), the files go, the record goes, and only
 * then is it announced: what is announced as gone is gone. A --rm container needs no mark: it is removed again from its exit record.
 */
export async function discardContainer(ctx: EngineContext, container: Container, options: { volumes: boolean; exit?: WaitResult }): Promise<void> {
  container.removing = true;
  const state = container.state;
  if (!options.exit) {
    await cleanRunIfLeft(ctx, container);
    container.dynamics.state = { ...(state.status === 'exited' ? state : {}), status: 'removing' };
    container.dynamics.removesVolumes = options.volumes;
    await ctx.store.saveDynamics(container);
    failPoint('remove.marked');
  }
  try {
    await ctx.snapshots.removeContainer(container.id);
    failPoint('remove.layer');
    await rm(containerDir(ctx.options, container.id), { recursive: true, force: true });
    failPoint('remove.files');
    if (!options.volumes) await releaseVolumes(ctx, container, false);
    failPoint('remove.released');
    await ctx.store.delete(container);
    failPoint('remove.record');
  } catch (error) {
    container.removing = false;
    // Parts of it may be gone: it can only be removed.
    container.dynamics.state = { ...container.state, status: 'dead' };
    await ctx.store.saveSoon(container);
    const message = `Cannot remove container ${container.id}: ${messageOf(error)}`;
    container.settleWaiters(['removed'], { ...(options.exit ?? { StatusCode: 0 }), Error: { Message: message } });
    throw new EngineError('internal', message, { cause: error });
  }
  ctx.runtime.clearExit(container.id);
  if (options.volumes) {
    await releaseVolumes(ctx, container, true).catch((error: unknown) => {
      ctx.logger.warn(`Cannot remove the volumes of container ${container.id}, the next start tries again: ${messageOf(error)}`);
    });
  }
  failPoint('remove.volumes');
  await collectLayers(ctx, container);
  for (const attach of container.pendingAttaches) attach.abandon(undefined);
  container.notify();
  publish(ctx, container, 'destroy');
  const exitCode = 'exitCode' in state ? (state.exitCode ?? 0) : 0;
  container.settleWaiters(['removed', 'not-running', 'next-exit'], options.exit ?? { StatusCode: exitCode });
}

/** Before the record's end what stays is let go of, after it what goes is removed: the next start takes volumes without a container away. */
async function releaseVolumes(ctx: EngineContext, container: Container, remove: boolean): Promise<void> {
  for (const name of container.record.anonymousVolumes) await ctx.volumes.releaseAnonymous(name, remove);
}

/** The layers of an image that was removed by force under its container go with the last such container. */
async function collectLayers(ctx: EngineContext, { id, record }: Container): Promise<void> {
  if (record.imageId === '' || ctx.images.get(record.imageId)) return;
  await ctx.images.collectLayers().catch((error: unknown) => ctx.logger.warn(`Cannot free the layers of container ${id}: ${messageOf(error)}`));
}

async function cleanRunIfLeft(ctx: EngineContext, container: Container): Promise<void> {
  if (container.run || ctx.snapshots.isMounted(container.id)) await cleanRun(ctx, container);
}
