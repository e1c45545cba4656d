import { messageOf } from '../base/index.ts';
import { ContainerFs } from '../images/layer/index.ts';
import type { Container } from './container.ts';
import type { EngineContext } from './context.ts';
import { mountPoints } from './inspect.ts';
import { rootPathOf } from './spec-input.ts';

/** A container's files for the time of one operation: mounted when it does not run, frozen when it does (guide 1.3.1.17). */
export interface RootAccess extends AsyncDisposable {
  readonly root: string;
  /** Its root with its volumes. */
  readonly files: ContainerFs;
}

/** Operations that hold a container frozen, and those that hold its root mounted; the last one lets go. */
const frozenFor = new WeakMap<Container, number>();
const mountedFor = new WeakMap<Container, number>();

function count(counts: WeakMap<Container, number>, container: Container, change: 1 | -1): number {
  const left = (counts.get(container) ?? 0) + change;
  counts.set(container, left);
  return left;
}

export async function openRoot(ctx: EngineContext, container: Container, options: { freeze: boolean }): Promise<RootAccess> {
  await using held = new AsyncDisposableStack();
  if (options.freeze) held.use(await freezeContainer(ctx, container));
  if (!container.isRunning && container.record.hostConfig.ExternalRootfs === '') held.use(await mountRoot(ctx, container));
  const root = rootPathOf(ctx, container);
  const mounts = mountPoints(ctx, container)
    .filter((mount) => mount.Type === 'bind' || mount.Type === 'volume')
    .map((mount) => ({ destination: mount.Destination, source: mount.Source, readOnly: !mount.RW }));
  const files = new ContainerFs({ root, mounts, readOnly: container.record.hostConfig.ReadonlyRootfs, container: container.name,
    ids: ctx.options.idMaps });
  const kept = held.move();
  return { root, files, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

/** Mounts the root of a container that does not run, unless it is mounted already. */
async function mountRoot(ctx: EngineContext, container: Container): Promise<AsyncDisposable> {
  await container.lane.run(async () => {
    await ctx.snapshots.mountContainer(container.id);
    count(mountedFor, container, 1);
  });
  return { [Symbol.asyncDispose]: () => container.lane.run(() => unmountRoot(ctx, container)) };
}

async function unmountRoot(ctx: EngineContext, container: Container): Promise<void> {
  if (count(mountedFor, container, -1) > 0 || container.run || ctx.store.get(container.id) !== container) return;
  await ctx.snapshots.unmountContainer(container.id).catch((error: unknown) => {
    ctx.logger.warn(`Cannot unmount container ${container.id}: ${messageOf(error)}`);
  });
}

/** True while a copy needs the root of a container that does not run. */
export function isMountedForCopy(container: Container): boolean {
  return (mountedFor.get(container) ?? 0) > 0;
}

/** Stops the processes of a container that runs until it is disposed of. One that is paused stays so; one that does not run needs nothing. */
export async function freezeContainer(ctx: EngineContext, container: Container): Promise<AsyncDisposable> {
  if (!container.isRunning) return { [Symbol.asyncDispose]: () => Promise.resolve() };
  count(frozenFor, container, 1);
  try {
    await ctx.runtime.freeze(container.record.cgroupPath);
  } catch (error) {
    await thaw(ctx, container);
    const { process } = container.dynamics;
    // One that ended meanwhile has nothing to freeze.
    if (container.isRunning && process && ctx.runtime.isAlive(process)) throw error;
    return { [Symbol.asyncDispose]: () => Promise.resolve() };
  }
  return { [Symbol.asyncDispose]: () => thaw(ctx, container) };
}

async function thaw(ctx: EngineContext, container: Container): Promise<void> {
  if (count(frozenFor, container, -1) > 0) return;
  // A pause that came meanwhile holds; a container that ended needs nothing.
  if (container.state.status === 'running') await thawNow(ctx, container);
}

/** Lets a container go on; one that has ended needs nothing. */
export async function thawNow(ctx: EngineContext, container: Container): Promise<void> {
  await ctx.runtime.thaw(container.record.cgroupPath).catch((error: unknown) => {
    const { process } = container.dynamics;
    if (process && ctx.runtime.isAlive(process)) ctx.logger.warn(`Cannot thaw container ${container.id}: ${messageOf(error)}`);
  });
}

/** True while a copy or commit holds the container frozen: a kill must thaw it to take effect. */
export function isFrozenForCopy(container: Container): boolean {
  return (frozenFor.get(container) ?? 0) > 0;
}
