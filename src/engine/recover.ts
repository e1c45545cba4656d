import { readdirSync, readFileSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { failPoint, Gate, isContainerId, messageOf, nowMs } from '../base/index.ts';
import type { ContainerId } from '../base/index.ts';
import { readMounts, umountAll } from '../linux/index.ts';
import type { Container } from './container.ts';
import { bundlePath } from './context.ts';
import type { EngineContext } from './context.ts';
import { scheduleRestart, settleExit } from './exit.ts';
import { discardContainer } from './remove.ts';
import { startsWithDaemon } from './restart-policy.ts';
import { adoptRun, startContainer } from './start.ts';
import { watchRun } from './watch.ts';

/** Containers that are cleaned or settled at once. */
const recoverAtOnce = 8;
/** How long a conmon that lost its container may take to write the exit file. */
const exitFileWaitMs = 5000;

/**
 * Makes the records and the host agree again after a stop, a crash or a reboot: adopts what runs, settles what ended meanwhile, removes what
 * no record owns, and starts what a policy wants. Returns once every record may be read; what takes long goes on in the containers' lanes.
 */
export async function recoverEngine(ctx: EngineContext): Promise<void> {
  const containers = ctx.store.all();
  const live = new Set(containers.map((container) => container.id));
  const running = new Set<ContainerId>();
  for (const container of containers) if (isStillRunning(ctx, container)) running.add(container.id);
  const mounted = [...running].flatMap((id) => ctx.store.get(id)?.record.mounts.filter((m) => m.type === 'volume').map((m) => ({ volume: m.source, container: id })) ?? []);
  await ctx.volumes.recover(mounted);
  await cleanOrphans(ctx, running);
  await ctx.snapshots.recover(live, running);
  const gate = new Gate(recoverAtOnce);
  for (const container of containers) {
    if (running.has(container.id)) {
      watchRun(ctx, container, adoptRun(container));
      continue;
    }
    // Not awaited: a slow clean-up of one container keeps nobody from reading the others.
    void container.lane.run(() => gate.run(() => recoverStopped(ctx, container))).catch((error: unknown) => {
      ctx.logger.error(`Cannot recover container ${container.id}: ${messageOf(error)}`);
    });
  }
  await removeStrayDirectories(ctx, live);
}

function isStillRunning(ctx: EngineContext, container: Container): boolean {
  const { process, bootId } = container.dynamics;
  if (!container.isRunning || !process || bootId !== ctx.bootId) return false;
  return ctx.runtime.isAlive(process) && ctx.runtime.readExit(container.id, bundlePath(ctx.options, container.id)) === undefined;
}

async function recoverStopped(ctx: EngineContext, container: Container): Promise<void> {
  const { dynamics, record } = container;
  switch (container.state.status) {
    case 'running':
    case 'paused': {
      if (dynamics.bootId === ctx.bootId) await waitForExitFile(ctx, container);
      await settleExit(ctx, container, undefined);
      break;
    }
    case 'removing':
    case 'dead':
      await discardContainer(ctx, container, { volumes: false });
      return;
    case 'restarting':
      scheduleRestart(ctx, container, 0);
      return;
    default:
      break;
  }
  if (container.state.status !== 'exited') return;
  const { exitCode } = container.state;
  const past = { exitCode, restartCount: dynamics.restartCount, manuallyStopped: dynamics.manuallyStopped, everStarted: true };
  if (!startsWithDaemon(record.hostConfig.RestartPolicy, past)) return;
  await startContainer(ctx, container, {});
}

/** The init is gone and conmon may be about to say how it ended. */
async function waitForExitFile(ctx: EngineContext, container: Container): Promise<void> {
  const conmonPid = container.dynamics.process?.conmonPid;
  const bundle = bundlePath(ctx.options, container.id);
  const deadline = nowMs() + exitFileWaitMs;
  while (conmonPid && nowMs() < deadline) {
    if (ctx.runtime.readExit(container.id, bundle)) return;
    if (!commandLineOf(String(conmonPid)).includes(container.id)) return;
    await Bun.sleep(20);
  }
}

function commandLineOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

/** Bundles of runs that no record owns: the daemon died between making them and saying so, or while it cleaned. */
async function cleanOrphans(ctx: EngineContext, running: ReadonlySet<ContainerId>): Promise<void> {
  const directory = join(ctx.options.stateRoot, 'bundles');
  const orphans = (await readdir(directory).catch(() => [])).filter((name) => !isContainerId(name) || !isKept(ctx, name, running));
  if (orphans.length === 0) return;
  killHelpers(directory, new Set(orphans));
  const gate = new Gate(recoverAtOnce);
  await Promise.all(
    orphans.map((name) =>
      gate.run(async () => {
        const bundle = join(directory, name);
        if (isContainerId(name)) {
          const runtime = ctx.store.get(name)?.dynamics.runtime ?? ctx.options.defaultRuntime;
          await ctx.runtime.remove(name, runtime, bundle).catch((error: unknown) => ctx.logger.warn(`Cannot clean ${name}: ${messageOf(error)}`));
          ctx.runtime.clearExit(name);
        }
        for (const { mountPoint } of readMounts().filter((entry) => entry.mountPoint.startsWith(`${bundle}/`)).reverse()) umountAll(mountPoint);
        await rm(bundle, { recursive: true, force: true });
      }),
    ),
  );
  failPoint('recover.orphans');
}

/** Running ones, and those whose record says they ran: their exit is settled from the bundle. */
function isKept(ctx: EngineContext, id: ContainerId, running: ReadonlySet<ContainerId>): boolean {
  return running.has(id) || ctx.store.get(id)?.isRunning === true;
}

/** Ends conmon and runtime processes that work on an orphaned bundle: one may still be about to create its container. */
function killHelpers(directory: string, orphans: ReadonlySet<string>): void {
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const command = commandLineOf(pid);
    const at = command.indexOf(`${directory}/`);
    if (at < 0) continue;
    const name = command.slice(at + directory.length + 1).split(/[/\0]/, 1)[0] ?? '';
    if (!orphans.has(name) || Number(pid) === process.pid) continue;
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch {
      // It has just ended.
    }
  }
}

/** Container directories (logs, etc files) whose record was never made or is gone. */
async function removeStrayDirectories(ctx: EngineContext, live: ReadonlySet<ContainerId>): Promise<void> {
  const directory = join(ctx.options.graphRoot, 'engines', 'lcr');
  for (const name of await readdir(directory).catch(() => [])) {
    if (isContainerId(name) && live.has(name)) continue;
    await rm(join(directory, name), { recursive: true, force: true });
  }
}
