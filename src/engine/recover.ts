import { readdirSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { failPoint, Gate, isContainerId, messageOf, nowMs } from '../base/index.ts';
import type { ContainerId } from '../base/index.ts';
import { readMounts, umountAll } from '../linux/index.ts';
import { commandLineOf } from './command-line.ts';
import type { Container } from './container.ts';
import { bundlePath } from './context.ts';
import type { EngineContext } from './context.ts';
import { scheduleRestart, settleExit } from './exit.ts';
import { discardContainer } from './remove.ts';
import { startsWithDaemon } from './restart-policy.ts';
import { thawNow } from './root-access.ts';
import { adoptRun, startContainer } from './start.ts';
import { finishUpdate } from './update.ts';
import { watchRun } from './watch.ts';

/** Containers that are cleaned or settled at once. */
const recoverAtOnce = 8;
/** How long a conmon that lost its container may take to write the exit file. */
const exitFileWaitMs = 5000;
/** How long a killed helper may take to end. */
const helperEndMs = 5000;

/**
 * Makes the records and the host agree again after a stop, a crash or a reboot: adopts what runs, settles what ended meanwhile, removes what
 * no record owns, and starts what a policy wants. Returns once every record may be read; what takes long goes on in the containers' lanes.
 */
export async function recoverEngine(ctx: EngineContext): Promise<void> {
  const containers = ctx.store.all();
  const live = new Set(containers.map((container) => container.id));
  const running = new Set<ContainerId>();
  for (const container of containers) if (isStillRunning(ctx, container)) running.add(container.id);
  const mounted = [...running].flatMap((id) => {
    const mounts = ctx.store.get(id)?.record.mounts ?? [];
    return mounts.filter((mount) => mount.type === 'volume').map((mount) => ({ volume: mount.source, container: id }));
  });
  await cleanOrphans(ctx, running);
  await ctx.volumes.recover(mounted, live);
  failPoint('recover.volumes');
  await ctx.snapshots.recover(live, running);
  // After the containers' layers: those that only strays stood on go too.
  await ctx.images.recover();
  failPoint('recover.images');
  await removeStrayDirectories(ctx, live);
  for (const container of containers) if (running.has(container.id)) adopt(ctx, container);
  // Not awaited: a slow clean-up of one container keeps nobody from reading the others.
  void recoverOthers(ctx, containers.filter((container) => !running.has(container.id)));
}

/** Takes over a container that runs. */
function adopt(ctx: EngineContext, container: Container): void {
  const state = container.state;
  if (state.status !== 'running' && state.status !== 'paused') return;
  // The daemon may have died in a pause, an unpause, a copy or a kill, which all freeze or thaw before the record says so: only what the
  // record calls paused stays frozen.
  const frozen = ctx.runtime.isFrozen(container.record.cgroupPath);
  if (frozen && state.status === 'running') void container.lane.run(() => thawNow(ctx, container));
  const status = frozen ? state.status : 'running';
  if (status !== state.status) {
    container.dynamics.state = { ...state, status };
    void container.lane.run(() => ctx.store.saveSoon(container));
  }
  container.lane.run(() => finishUpdate(ctx, container)).catch((error: unknown) => {
    ctx.logger.error(`Cannot finish the update of container ${container.id}: ${messageOf(error)}`);
  });
  ctx.runtime.forgetExecs(bundlePath(ctx.options, container.id));
  watchRun(ctx, container, adoptRun(container));
  if (status === 'paused') ctx.health.pause(container.id);
}

/** Settles what ended, finishes what was being removed, and then starts what the policies want: first those that need no other container. */
async function recoverOthers(ctx: EngineContext, containers: readonly Container[]): Promise<void> {
  const gate = new Gate(recoverAtOnce);
  const inLane = (container: Container, task: () => Promise<void>): Promise<void> =>
    container.lane.run(() => gate.run(task)).catch((error: unknown) => {
      ctx.logger.error(`Cannot recover container ${container.id}: ${messageOf(error)}`);
    });
  const wanted: Container[] = [];
  await Promise.all(containers.map((container) => inLane(container, async () => {
    if (await recoverStopped(ctx, container)) wanted.push(container);
  })));
  const start = (container: Container): Promise<void> => inLane(container, async () => {
    if (container.state.status === 'exited' && !container.removing) await startContainer(ctx, container, {});
  });
  const byAge = wanted.toSorted((a, b) => a.record.createdAt - b.record.createdAt);
  await Promise.all(byAge.filter((container) => !joinsOther(container)).map(start));
  for (const container of byAge) if (joinsOther(container)) await start(container);
}

function joinsOther({ record: { hostConfig } }: Container): boolean {
  return [hostConfig.NetworkMode, hostConfig.IpcMode, hostConfig.PidMode, hostConfig.UTSMode].some((mode) => mode.startsWith('container:'));
}

function isStillRunning(ctx: EngineContext, container: Container): boolean {
  const { process, bootId } = container.dynamics;
  if (!container.isRunning || !process || bootId !== ctx.bootId) return false;
  return ctx.runtime.isAlive(process) && ctx.runtime.readExit(container.id, bundlePath(ctx.options, container.id)) === undefined;
}

/** True: the restart policy wants it started. */
async function recoverStopped(ctx: EngineContext, container: Container): Promise<boolean> {
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
      await discardContainer(ctx, container, { volumes: dynamics.removesVolumes === true });
      return false;
    case 'restarting':
      scheduleRestart(ctx, container, 0);
      return false;
    default:
      break;
  }
  // Removed, or about to be restarted.
  if (container.state.status !== 'exited' || ctx.store.get(container.id) !== container) return false;
  const { exitCode } = container.state;
  if (record.hostConfig.AutoRemove) {
    // It was between the two runs of a restart.
    await discardContainer(ctx, container, { volumes: true, exit: { StatusCode: exitCode } });
    return false;
  }
  const past = { exitCode, restartCount: dynamics.restartCount, manuallyStopped: dynamics.manuallyStopped, everStarted: true };
  return startsWithDaemon(record.hostConfig.RestartPolicy, past);
}

/** The init is gone and conmon may be about to say how it ended. */
async function waitForExitFile(ctx: EngineContext, container: Container): Promise<void> {
  const conmonPid = container.dynamics.process?.conmonPid;
  const bundle = bundlePath(ctx.options, container.id);
  const deadline = nowMs() + exitFileWaitMs;
  while (conmonPid && nowMs() < deadline) {
    if (ctx.runtime.readExit(container.id, bundle)) return;
    if (!commandLineOf(conmonPid).includes(container.id)) return;
    await Bun.sleep(20);
  }
}

/** Bundles of runs that no record owns: the daemon died between making them and saying so, or while it cleaned. */
async function cleanOrphans(ctx: EngineContext, running: ReadonlySet<ContainerId>): Promise<void> {
  const directory = join(ctx.options.stateRoot, 'bundles');
  const orphans = (await readdir(directory).catch(() => [])).filter((name) => !isContainerId(name) || !isKept(ctx, name, running));
  if (orphans.length > 0) await killHelpers(directory, new Set(orphans));
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
  // Exit files whose run is settled: the daemon died before it cleared them. With more than an id for a name they are what a conmon
  // that was killed had begun to write.
  const exits = join(ctx.options.stateRoot, 'exits');
  for (const name of await readdir(exits).catch(() => [])) {
    const [id = ''] = name.split('.');
    if (isContainerId(id) && isKept(ctx, id, running)) continue;
    if (isContainerId(name)) ctx.runtime.clearExit(name);
    else await rm(join(exits, name), { force: true });
  }
  failPoint('recover.orphans');
}

/** Running ones, and those whose record says they ran: their exit is settled from the bundle. */
function isKept(ctx: EngineContext, id: ContainerId, running: ReadonlySet<ContainerId>): boolean {
  return running.has(id) || ctx.store.get(id)?.isRunning === true;
}

/** Ends conmon and runtime processes that work on an orphaned bundle: one may still be about to create its container. */
async function killHelpers(directory: string, orphans: ReadonlySet<string>): Promise<void> {
  const killed: string[] = [];
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const command = commandLineOf(Number(pid));
    const at = command.indexOf(`${directory}/`);
    if (at < 0) continue;
    const name = command.slice(at + directory.length + 1).split(/[/\0]/, 1)[0] ?? '';
    if (!orphans.has(name) || Number(pid) === process.pid) continue;
    try {
      process.kill(Number(pid), 'SIGKILL');
      killed.push(pid);
    } catch {
      // It has just ended.
    }
  }
  // The kill takes effect at the end of the system call they are in: what that makes must not come after the cleaning.
  const deadline = nowMs() + helperEndMs;
  while (killed.some((pid) => commandLineOf(Number(pid)).includes(directory)) && nowMs() < deadline) await Bun.sleep(2);
}

/** Container directories (logs, etc files) whose record was never made or is gone. */
async function removeStrayDirectories(ctx: EngineContext, live: ReadonlySet<ContainerId>): Promise<void> {
  const directory = join(ctx.options.graphRoot, 'engines', 'lcr');
  for (const name of await readdir(directory).catch(() => [])) {
    if (isContainerId(name) && live.has(name)) continue;
    await rm(join(directory, name), { recursive: true, force: true });
  }
}
