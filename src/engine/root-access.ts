import { messageOf } from '../base/index.ts';
import { ContainerFs } from '../images/layer/index.ts';
import type { Container } from './container.ts';
import type { EngineContext } from './context.ts';
import { mountPoints } from './inspect.ts';
import { rootPathOf } from './spec-input.ts';

/** A container's files for the time of one operation: mounted when it does not run, frozen when it does (guide 1.3.1.17). */
export interface RootAccess extends AsyncDisposable {
  readonly root: string;
  /** Its root with its volumes, and without /etc/hostname, hosts and resolv.conf, which the guide leaves out. */
  readonly files: ContainerFs;
}

/** Containers that are frozen for copies, and how many copies each; a thaw waits for the last. */
const frozenFor = new WeakMap<Container, number>();

export async function openRoot(ctx: EngineContext, container: Container, options: { freeze: boolean }): Promise<RootAccess> {
  const { hostConfig } = container.record;
  const frozen = options.freeze && container.state.status === 'running';
  if (frozen) await freeze(ctx, container);
  else if (!container.isRunning && hostConfig.ExternalRootfs === '') {
    await container.lane.run(async () => {
      await ctx.snapshots.mountContainer(container.id);
      users(container, 1);
    });
  }
  const mounted = !frozen && !container.isRunning && hostConfig.ExternalRootfs === '';
  const root = rootPathOf(ctx, container);
  const mounts = mountPoints(ctx, container)
    .filter((mount) => mount.Type === 'bind' || mount.Type === 'volume')
    .map((mount) => ({ destination: mount.Destination, source: mount.Source, readOnly: !mount.RW }));
  return {
    root,
    files: new ContainerFs({ root, mounts, readOnly: hostConfig.ReadonlyRootfs, container: container.name }),
    async [Symbol.asyncDispose]() {
      if (frozen) await thaw(ctx, container);
      if (mounted) await unmount(ctx, container);
    },
  };
}

const mountUsers = new WeakMap<Container, number>();

function users(container: Container, change: 1 | -1): number {
  const count = (mountUsers.get(container) ?? 0) + change;
  mountUsers.set(container, count);
  return count;
}

async function unmount(ctx: EngineContext, container: Container): Promise<void> {
  await container.lane.run(async () => {
    if (users(container, -1) > 0 || container.run || ctx.store.get(container.id) !== container) return;
    await ctx.snapshots.unmountContainer(container.id).catch((error: unknown) => {
      ctx.logger.warn(`Cannot unmount container ${container.id}: ${messageOf(error)}`);
    });
  });
}

async function freeze(ctx: EngineContext, container: Container): Promise<void> {
  frozenFor.set(container, (frozenFor.get(container) ?? 0) + 1);
  await ctx.runtime.freeze(container.record.cgroupPath);
}

async function thaw(ctx: EngineContext, container: Container): Promise<void> {
  const left = (frozenFor.get(container) ?? 1) - 1;
  frozenFor.set(container, left);
  // A pause that came meanwhile holds; a container that ended needs nothing.
  if (left > 0 || container.state.status !== 'running') return;
  await ctx.runtime.thaw(container.record.cgroupPath).catch((error: unknown) => {
    ctx.logger.warn(`Cannot thaw container ${container.id} after a copy: ${messageOf(error)}`);
  });
}

/** True while a copy holds the container frozen: a kill must thaw it to take effect. */
export function isFrozenForCopy(container: Container): boolean {
  return (frozenFor.get(container) ?? 0) > 0;
}
