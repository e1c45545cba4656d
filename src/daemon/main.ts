import { writeSync } from 'node:fs';
import { buildCommit, buildVersion, isEngineError, messageOf } from '../base/index.ts';
import { sendDatagram } from '../linux/index.ts';
import { compose } from './compose.ts';
import { helpText, loadConfig, parseFlags, versionText, type DaemonConfig } from './config/index.ts';
import { trimWhenIdle } from './idle.ts';
import { inheritedDescriptors, openInherited, openListeners } from './listen.ts';
import { lockRoots } from './lock.ts';
import { openLogger, type DaemonLogger } from './logger.ts';

/** How long open work may take to end after SIGTERM. */
const closeLimitMs = 10_000;

/** `isulad`: runs the daemon until a signal ends it. Gives the exit status; containers are never touched by its end. */
export async function main(argv: string[]): Promise<number> {
  try {
    const { command } = parseFlags(argv);
    if (command !== 'run') {
      process.stdout.write(command === 'help' ? helpText() : versionText());
      return 0;
    }
    await runDaemon(loadConfig(argv, process.env), argv);
    // At once: a timer or a connection that is still there must not keep a stopped daemon.
    return await exitNow(0);
  } catch (error) {
    process.stderr.write(`isulad: ${isEngineError(error) || !(error instanceof Error) ? messageOf(error) : error.stack ?? error.message}\n`);
    return await exitNow(1);
  }
}

/** Ends the process once its standard output is written, unless nobody reads it. */
async function exitNow(status: number): Promise<never> {
  await Promise.race([new Promise<void>((resolve) => process.stdout.write('', () => resolve())), Bun.sleep(1000)]);
  process.exit(status);
}

async function runDaemon(config: DaemonConfig, argv: readonly string[]): Promise<void> {
  const started = performance.now();
  if (process.geteuid?.() !== 0) throw new Error('isulad must run as root');
  process.umask(0o022);
  process.chdir('/');
  using _locks = lockRoots(config);
  using logger = openLogger(config);
  handleCrashes(logger);
  const stop = stopSignal();
  const systemd = takeSystemdEnv();
  logger.info(`isulad ${buildVersion} (${buildCommit}) starts with graph ${config.graph}, state ${config.state}`);

  const composed = await compose(config, logger);
  try {
    await using listeners = await openListeners(config, composed.handleConnection, logger);
    await using inherited = await openInherited(systemd.descriptors, composed.handleConnection, logger);
    process.on('SIGHUP', () => reload(argv, logger));
    const addresses = [...listeners.addresses, ...inherited.addresses].join(' ');
    using _trim = trimWhenIdle();
    logger.info(`READY: listening on ${addresses}, started in ${Math.round(performance.now() - started)} ms`);
    notifySystemd(systemd.notifySocket, 'READY=1', logger);
    logger.info(`${await stop} received: isulad stops, containers go on`);
    notifySystemd(systemd.notifySocket, 'STOPPING=1', logger);
  } finally {
    await withinLimit(composed.close(), logger);
  }
  logger.info('isulad stopped');
}

function stopSignal(): Promise<string> {
  return new Promise((resolve) => {
    for (const name of ['SIGTERM', 'SIGINT'] as const) process.on(name, () => resolve(name));
  });
}

/** SIGHUP: takes the log level from the configuration anew. */
function reload(argv: readonly string[], logger: DaemonLogger): void {
  try {
    const { logLevel } = loadConfig(argv, process.env);
    logger.setLevel(logLevel);
    logger.info(`SIGHUP received: log level is ${logLevel}`);
  } catch (error) {
    logger.error(`SIGHUP received, the configuration is kept as it was: ${messageOf(error)}`);
  }
}

/** What systemd tells this process alone: the OCI runtimes would take the same variables for their container's. */
function takeSystemdEnv(): { descriptors: number[]; notifySocket: string } {
  const descriptors = inheritedDescriptors(process.env, process.pid);
  const notifySocket = process.env['NOTIFY_SOCKET'] ?? '';
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES', 'NOTIFY_SOCKET']) delete process.env[name];
  return { descriptors, notifySocket };
}

/** Tells systemd (sd_notify) where it asked to be told. */
function notifySystemd(path: string, message: string, logger: DaemonLogger): void {
  if (path === '') return;
  try {
    sendDatagram(path, message);
  } catch (error) {
    logger.warn(`Cannot notify systemd at ${path}: ${messageOf(error)}`);
  }
}

/**
 * A rejection that nobody awaits concerns one request: it is logged. An exception out of the blue leaves a state that nobody
 * knows: the daemon ends, and its next start repairs what is left (docs/architecture.md, crash rules).
 */
function handleCrashes(logger: DaemonLogger): void {
  process.on('unhandledRejection', (reason) => logger.error(`Unhandled rejection: ${stackOf(reason)}`));
  process.on('uncaughtException', (error) => {
    const text = `Uncaught exception: ${stackOf(error)}`;
    logger.fatal(text);
    try {
      writeSync(2, `isulad: ${text}\n`);
    } finally {
      process.exit(1);
    }
  });
}

function stackOf(error: unknown): string {
  return error instanceof Error ? error.stack ?? error.message : String(error);
}

async function withinLimit(closing: Promise<void>, logger: DaemonLogger): Promise<void> {
  const limit = setTimeout(() => {
    logger.error(`Work did not end within ${closeLimitMs / 1000} s: isulad exits without it`);
    process.exit(1);
  }, closeLimitMs);
  try {
    await closing;
  } finally {
    clearTimeout(limit);
  }
}
