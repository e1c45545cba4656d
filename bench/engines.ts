import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mount, umountAll } from '../src/linux/index.ts';
import { dist, processesOf, runCommand, TestDaemon, waitUntil, wipe } from '../tests/harness/index.ts';
import { writeBusyboxImage } from '../tools/busybox-image.ts';
import { image, output, type Contender } from './contender.ts';

/** Debian's command line, of the daemon's own version. */
const dockerCli = '/usr/bin/docker';
const dockerDaemon = '/usr/sbin/dockerd';
const podmanCli = '/usr/bin/podman';
/** Where the engines have their roots: short, for the sockets below. */
const parent = process.env['ISULA_TEST_ROOT'] ?? '/tmp';

const open = new Set<Contender>();
/** Holds what engines keep in /run, which is a tmpfs where a system is set up as usual. */
const runDirectory = join(parent, `isula-bench-run-${process.pid}`);

/** Opens the engines that are wanted and that this host has, isula first. */
export async function openEngines(wanted: readonly string[]): Promise<Contender[]> {
  mkdirSync(runDirectory, { mode: 0o711 });
  mount('tmpfs', runDirectory, 'tmpfs', 0, 'mode=711');
  const engines: Contender[] = [];
  const add = async (opening: Promise<Contender>): Promise<void> => {
    engines.push(await opening);
  };
  if (wanted.includes('isula')) await add(openIsula());
  if (wanted.includes('docker') && existsSync(dockerDaemon)) await add(openDocker());
  if (wanted.includes('podman') && existsSync(podmanCli)) await add(openPodman());
  return engines;
}

/** Ends and removes all that is open. */
export async function closeEngines(): Promise<void> {
  for (const engine of open) {
    try {
      await engine[Symbol.asyncDispose]();
    } catch (error) {
      console.error(`Cannot clean after ${engine.name}: ${String(error)}`);
    }
  }
  if (!existsSync(runDirectory)) return;
  umountAll(runDirectory);
  rmdirSync(runDirectory);
}

/** The engine is known to `closeEngines` before its first process runs. */
async function opened(engine: Contender, prepare: () => Promise<void>): Promise<Contender> {
  open.add(engine);
  try {
    await prepare();
    return engine;
  } catch (error) {
    await engine[Symbol.asyncDispose]();
    throw error;
  }
}

async function versionOf(argv: readonly string[]): Promise<string> {
  const { stdout } = await runCommand(argv);
  return (stdout.split('\n', 1)[0] ?? '').trim();
}

/** The processes of an engine whose program is one of these. */
function pidsOf(dirs: readonly string[], ...programs: readonly string[]): number[] {
  const found = new Map(dirs.flatMap((dir) => processesOf(dir)).map((each) => [each.pid, each]));
  return [...found.values()].filter(({ command }) => programs.includes(command.split(' ')[0]?.split('/').at(-1) ?? '')).map(({ pid }) => pid);
}

async function openIsula(): Promise<Contender> {
  // Left to itself, as an installation is: its log at the default level.
  const run = join(runDirectory, 'isula');
  const daemon = new TestDaemon({ flags: ['-l', 'ERROR', '-S', run] });
  const engine: Contender = {
    name: 'isula',
    versions: [await versionOf([join(dist, 'isula'), '--version']), await versionOf(['conmon', '--version']), await versionOf(['crun', '--version'])],
    createOptions: ['--net', 'none'],
    noLog: ['--log-opt', 'disable-log=true'],
    env: { ISULAD_HOST: `unix://${daemon.socket}`, HOME: daemon.dir },
    socket: daemon.socket,
    command: (args) => [join(dist, 'isula'), ...args],
    daemons: () => [daemon.pid],
    monitors: () => pidsOf([daemon.dir, run], 'conmon'),
    crash: { kill: () => daemon.kill(), start: () => void daemon.start().catch((error: unknown) => console.error(String(error))) },
    async [Symbol.asyncDispose]() {
      open.delete(engine);
      await daemon.kill();
      for (const dir of [daemon.dir, run]) wipe({ dir, cgroup: daemon.cgroup });
    },
  };
  return opened(engine, async () => {
    await daemon.start();
    await daemon.importBusybox();
  });
}

function newDirectory(name: string): { dir: string; run: string; cgroup: string } {
  const cgroup = `isula-bench-${name}-${process.pid}`;
  const dir = join(parent, cgroup);
  mkdirSync(dir, { mode: 0o711 });
  return { dir, run: join(runDirectory, name), cgroup };
}

async function openDocker(): Promise<Contender> {
  const { dir, run, cgroup } = newDirectory('docker');
  const socket = join(dir, 'docker.sock');
  let child: Bun.Subprocess | undefined;
  const engine: Contender = {
    name: 'docker',
    versions: [await versionOf([dockerDaemon, '--version']), await versionOf(['containerd', '--version']), await versionOf(['runc', '--version'])],
    createOptions: ['--net', 'none'],
    noLog: ['--log-driver', 'none'],
    env: { DOCKER_HOST: `unix://${socket}`, DOCKER_CONFIG: join(dir, 'config'), HOME: dir },
    socket,
    command: (args) => [dockerCli, ...args],
    daemons: () => pidsOf([dir, run], 'dockerd', 'containerd'),
    monitors: () => pidsOf([dir, run], 'containerd-shim-runc-v2'),
    async [Symbol.asyncDispose]() {
      open.delete(engine);
      child?.kill('SIGKILL');
      await child?.exited;
      for (const each of [dir, run]) wipe({ dir: each, cgroup });
    },
  };
  return opened(engine, async () => {
    const log = Bun.file(join(dir, 'dockerd.log'));
    child = Bun.spawn([
      dockerDaemon, '--data-root', join(dir, 'data'), '--exec-root', run, '-H', `unix://${socket}`, '-p', join(dir, 'docker.pid'),
      '--bridge=none', '--iptables=false', '--ip6tables=false', '--cgroup-parent', `/${cgroup}`,
    ], { stdin: 'ignore', stdout: log, stderr: log, env: process.env });
    await waitUntil('dockerd to answer', async () => {
      if (child?.exitCode !== null) throw new Error(`dockerd ended:\n${readFileSync(join(dir, 'dockerd.log'), 'utf8').slice(-2000)}`);
      return (await runCommand(engine.command(['version']), { env: { ...engine.env } })).code === 0;
    });
    await importInto(engine, dir);
  });
}

async function openPodman(): Promise<Contender> {
  const { dir, run, cgroup } = newDirectory('podman');
  const configuration = join(dir, 'containers.conf');
  // The host may not let its limits be raised, which podman's defaults do.
  writeFileSync(configuration, [
    '[containers]', 'default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]', 'cgroupns = "host"', '[engine]', 'cgroup_manager = "cgroupfs"',
    'events_logger = "file"', '',
  ].join('\n'));
  const engine: Contender = {
    name: 'podman',
    versions: [await versionOf([podmanCli, '--version'])],
    createOptions: ['--network', 'none', '--cgroup-parent', `/${cgroup}`],
    noLog: ['--log-driver', 'none'],
    env: { CONTAINERS_CONF: configuration, HOME: dir },
    socket: undefined,
    command: (args) => [podmanCli, '--root', join(dir, 'root'), '--runroot', join(run, 'root'), '--tmpdir', join(run, 'tmp'), ...args],
    daemons: () => [],
    monitors: () => pidsOf([dir, run], 'conmon'),
    async [Symbol.asyncDispose]() {
      open.delete(engine);
      for (const each of [dir, run]) wipe({ dir: each, cgroup });
    },
  };
  return opened(engine, () => importInto(engine, dir));
}

async function importInto(engine: Contender, dir: string): Promise<void> {
  const tar = join(dir, 'busybox.tar');
  await writeBusyboxImage(tar);
  await output(engine, ['import', '--change', 'CMD ["sh"]', tar, `${image}:latest`]);
}
