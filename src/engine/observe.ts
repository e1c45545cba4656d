import type { OutputSink } from '../base/index.ts';
import { EngineError } from '../base/index.ts';
import type { Container } from './container.ts';
import type { EngineContext } from './context.ts';
import { logDetails, parseLogOptions, readLogs } from './logs/index.ts';
import { streamStats } from './stats.ts';
import { topOf } from './top.ts';
import type { LogOptions } from './types.ts';

/** Delivers a container's log; with `follow` until it neither runs nor is about to be restarted. */
export async function containerLogs(
  ctx: EngineContext, container: Container, options: LogOptions, sink: OutputSink, signal: AbortSignal,
): Promise<void> {
  const { record } = container;
  if (record.logPath === '') {
    throw new EngineError('unsupported', 'configured logging driver does not support reading: logging is disabled for this container');
  }
  const settings = parseLogOptions(record.hostConfig.LogConfig, ctx.options.containerLog);
  const facts = { id: record.id, name: record.name, imageId: record.imageId, imageName: record.imageName };
  await readLogs({
    path: record.logPath,
    options,
    details: options.details ? logDetails(settings, { labels: record.config.Labels, env: record.config.Env, ...facts }) : '',
    sink,
    signal,
    ended: () => !container.isRunning && container.state.status !== 'restarting',
    onChange(wake) {
      container.watchers.add(wake);
      return () => container.watchers.delete(wake);
    },
  });
}

export function containerStats(
  ctx: EngineContext, container: Container, options: { stream: boolean; oneShot: boolean }, signal: AbortSignal,
): AsyncIterable<Record<string, unknown>> {
  const { record } = container;
  const look = () => {
    if (ctx.store.get(record.id) !== container) return undefined;
    const state = container.state;
    const running = state.status === 'running' || state.status === 'paused'
      ? { cgroup: ctx.runtime.readStats(record.cgroupPath), pid: state.pid, ownNetwork: record.hostConfig.NetworkMode === 'none' }
      : undefined;
    return { id: record.id, name: record.name, running };
  };
  return streamStats({ facts: ctx.runtime.facts, look }, options, signal);
}

export function containerTop(ctx: EngineContext, container: Container, psArgs: string): Promise<{ Titles: string[]; Processes: string[][] }> {
  const { status } = container.state;
  if (status === 'restarting') throw new EngineError('conflict', `Container ${container.id} is restarting, wait until the container is running`);
  if (!container.isRunning) throw new EngineError('conflict', `Container ${container.id} is not running`);
  return topOf(ctx.runtime.pids(container.record.cgroupPath), psArgs);
}
