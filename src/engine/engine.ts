import { readFileSync } from 'node:fs';
import { isContainerId, messageOf } from '../base/index.ts';
import type { Logger } from '../base/index.ts';
import type { ImageService } from '../images/index.ts';
import type { RuntimeDriver } from '../runtime/index.ts';
import type { StateDb } from '../state/index.ts';
import type { SnapshotDriver } from '../storage/index.ts';
import type { VolumeService } from '../volumes/index.ts';
import { checkGraph } from './check.ts';
import { bundlePath } from './context.ts';
import type { EngineContext, EngineOptions } from './context.ts';
import { containerOperations } from './container-operations.ts';
import { diskUsage } from './disk-usage.ts';
import { EventBus } from './events.ts';
import { ExecRegistry } from './exec.ts';
import { settleExit } from './exit.ts';
import { HealthMonitor } from './health.ts';
import { LogRotator } from './logs/index.ts';
import { watchMonitors } from './monitors.ts';
import { recoverEngine } from './recover.ts';
import { discardContainer } from './remove.ts';
import { startContainer } from './start.ts';
import { ContainerStore } from './store.ts';
import { systemInfo, systemVersion } from './system.ts';
import type { Engine } from './types.ts';

export interface EngineParts {
  readonly options: EngineOptions;
  readonly logger: Logger;
  readonly db: StateDb;
  readonly snapshots: SnapshotDriver;
  readonly images: ImageService;
  readonly runtime: RuntimeDriver;
  readonly volumes: VolumeService;
}

/** Puts the engine together from its implementations; `recover` must be called before it serves. */
export function openEngine(parts: EngineParts): Engine {
  const { options, logger, db, images, volumes, runtime } = parts;
  const store = new ContainerStore(db, logger);
  const events = new EventBus();
  const rotator = new LogRotator({
    logger,
    reopen: (id) => (isContainerId(id) ? runtime.reopenLog(bundlePath(options, id)) : Promise.resolve()),
  });
  const ctx: EngineContext = {
    options, logger, store, snapshots: parts.snapshots, images, runtime, volumes, events, rotator, health: new HealthMonitor(),
    execs: { probe: (container, command, output, signal) => execs.probe(container, command, output, signal) },
    afterExit: {
      restart: (container) => startContainer(ctx, container, { byPolicy: true }),
      remove: (container, exit) => discardContainer(ctx, container, { volumes: true, exit }),
    },
    bootId: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
  };
  const execs = new ExecRegistry(ctx);
  images.bind({
    uses: (id) =>
      store.all().filter(({ record }) => record.imageId === id).map((container) => ({ containerId: container.id, running: container.isRunning })),
    event: (action, id, attributes) => events.publish('image', action, id, attributes),
  });
  volumes.bind({
    uses: (name) =>
      store.all().filter(({ record }) => record.mounts.some((m) => m.type === 'volume' && m.source === name)).map(({ id }) => id),
    event: (action, name, attributes) => events.publish('volume', action, name, attributes),
  });
  const watches = new DisposableStack();
  return {
    containers: containerOperations(ctx, execs),
    images,
    volumes: volumes.operations,
    system: {
      info: async () => systemInfo(ctx),
      version: () => systemVersion(ctx),
      events: (eventOptions, signal) => events.subscribe(eventOptions, signal),
      diskUsage: () => diskUsage(ctx),
      check: (checkOptions, signal) => checkGraph(ctx, checkOptions, signal),
    },
    async recover() {
      await recoverEngine(ctx);
      watches.use(watchMonitors(ctx));
      watches.use(runtime.watchExits((id) => {
        const container = store.get(id);
        // Of a monitor whose container was removed meanwhile.
        if (!container) return runtime.clearExit(id);
        const run = container.run;
        run?.markExited();
        container.lane.run(() => settleExit(ctx, container, run)).catch((error: unknown) => {
          logger.error(`Cannot settle the exit of container ${id}: ${messageOf(error)}`);
        });
      }));
    },
    async close() {
      watches.dispose();
      rotator[Symbol.dispose]();
      ctx.health[Symbol.dispose]();
      for (const container of store.all()) {
        clearTimeout(container.restartTimer);
        container.run?.stop();
      }
      store.close();
      // What holds a lane is let finish: a half-done step would only be repaired at the next start.
      await Promise.all(store.all().filter((container) => !container.lane.idle).map((container) => container.lane.run(async () => undefined)));
      await images.close();
    },
  };
}
