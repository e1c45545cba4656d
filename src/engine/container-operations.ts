import { EngineError } from '../base/index.ts';
import type { OutputSink } from '../base/index.ts';
import { parseTimestamp } from '../model/index.ts';
import { attachContainer } from './attach.ts';
import { commitContainer } from './commit.ts';
import { bundlePath } from './context.ts';
import type { EngineContext } from './context.ts';
import { createContainer } from './create.ts';
import type { ExecRegistry } from './exec.ts';
import { archiveGet, archivePut, archiveStat, containerChanges, exportContainer } from './files.ts';
import { inspectContainer } from './inspect.ts';
import { listContainers, pruneTest } from './list.ts';
import { containerLogs, containerStats, containerTop } from './observe.ts';
import { pauseContainer, unpauseContainer } from './pause.ts';
import { removeContainer } from './remove.ts';
import { renameContainer } from './rename.ts';
import { startContainer } from './start.ts';
import { killContainer, restartContainer, stopContainer } from './stop.ts';
import type { ContainerOperations } from './types.ts';
import { updateContainer } from './update.ts';
import { waitForContainer } from './wait.ts';

/** Binds each verb to its file; what is more than a line stands there. */
export function containerOperations(ctx: EngineContext, execs: ExecRegistry): ContainerOperations {
  const find = (reference: string) => ctx.store.find(reference);
  return {
    create: (request) => createContainer(ctx, request),
    inspect: async (reference, options) => inspectContainer(ctx, find(reference), options?.size ?? false),
    list: (options) => listContainers(ctx, options),
    async start(reference, options = {}) {
      const container = find(reference);
      await container.lane.run(() => startContainer(ctx, container, options));
    },
    stop: async (reference, options) => stopContainer(ctx, find(reference), options),
    restart: async (reference, options) => restartContainer(ctx, find(reference), options),
    kill: async (reference, signal) => killContainer(ctx, find(reference), signal),
    pause: async (reference) => pauseContainer(ctx, find(reference)),
    unpause: async (reference) => unpauseContainer(ctx, find(reference)),
    wait: (reference, condition, signal) => ({ registered: true, result: waitForContainer(find(reference), condition, signal) }),
    remove: async (reference, options) => removeContainer(ctx, find(reference), options),
    rename: async (reference, newName) => renameContainer(ctx, find(reference), newName),
    update: async (reference, update) => updateContainer(ctx, find(reference), update),
    top: async (reference, psArgs) => containerTop(ctx, find(reference), psArgs),
    stats: (reference, options, signal) => containerStats(ctx, find(reference), options, signal),
    logs: async (reference, options, sink, signal) => containerLogs(ctx, find(reference), options, sink, signal),
    hasTty: (reference) => find(reference).record.config.Tty,
    attach: async (reference, options, sink: OutputSink, signal) => attachContainer(ctx, find(reference), options, sink, signal),
    async resize(reference, height, width) {
      const container = find(reference);
      if (!container.isRunning) throw new EngineError('conflict', `Container ${container.id} is not running`);
      await ctx.runtime.resize(bundlePath(ctx.options, container.id), height, width);
    },
    execCreate: async (reference, config) => execs.create(find(reference), config),
    execStart: (execId, options) => execs.start(execId, options),
    execInspect: (execId) => execs.find(execId).session.inspect(),
    async execResize(execId, height, width) {
      await execs.find(execId).session.resize(height, width);
    },
    changes: async (reference) => containerChanges(ctx, find(reference)),
    export: async (reference, signal) => exportContainer(ctx, find(reference), signal),
    archiveStat: async (reference, path) => archiveStat(ctx, find(reference), path),
    archiveGet: async (reference, path, signal) => archiveGet(ctx, find(reference), path, signal),
    archivePut: async (reference, path, tar, options, signal) => archivePut(ctx, find(reference), path, tar, options, signal),
    commit: async (request, signal) => commitContainer(ctx, find(request.container), request, signal),
    async prune(filters, { dryRun = false } = {}) {
      const until = filters.get('until')?.[0];
      const wanted = pruneTest(filters, until === undefined ? undefined : parseTimestamp(until, Date.now()));
      const deleted: string[] = [];
      let reclaimed = 0;
      for (const container of ctx.store.all()) {
        const { status } = container.state;
        if ((status !== 'created' && status !== 'exited' && status !== 'dead') || !wanted(container)) continue;
        const bytes = container.record.hostConfig.ExternalRootfs === '' ? await ctx.snapshots.containerSize(container.id).catch(() => 0) : 0;
        if (!dryRun) await removeContainer(ctx, container, { force: false, volumes: false });
        deleted.push(container.id);
        reclaimed += bytes;
      }
      return { ContainersDeleted: deleted, SpaceReclaimed: reclaimed };
    },
  };
}
