import { formatTime, messageOf, nowMs, type OutputSink } from '../base/index.ts';
import { formatDuration, type HealthProbeResult, type HealthState, type HealthStatus } from '../model/index.ts';
import type { HealthCheck } from './health-config.ts';
import { Deadlines, type Clock } from './health-timers.ts';

export { healthCheckOf, type HealthCheck } from './health-config.ts';

/** Probes kept (guide 1.3.7.4). */
const recordsMax = 5;
/** Of a probe's output that is kept. */
const outputBytesMax = 4096;
/** The exit status of a probe that could not run or was not done in time. */
const probeFailed = -1;

/** Gathers the beginning of a probe's output and drops the rest. */
export class ProbeOutput implements OutputSink {
  readonly #chunks: Buffer[] = [];
  #bytes = 0;

  write(_stream: 1 | 2, chunk: Uint8Array): undefined {
    const room = outputBytesMax - this.#bytes;
    if (room > 0) this.#chunks.push(Buffer.from(chunk.subarray(0, room)));
    this.#bytes += chunk.length;
  }

  end(): void {}

  fail(): void {}

  /** With `...` where something was dropped, as docker shows it. */
  get text(): string {
    const text = Buffer.concat(this.#chunks).toString();
    return this.#bytes > outputBytesMax ? `${text}...` : text;
  }
}

export interface HealthRequest {
  readonly check: HealthCheck;
  /** ms since the epoch: the start period counts from here. */
  readonly startedAt: number;
  /** Records to go on from, after a restart of the daemon; the status begins at `starting` in any case (guide 1.3.7.4). */
  readonly log?: readonly HealthProbeResult[];
  /**
   * Runs the check in the container. When `signal` aborts the time is over, or the container stops: kill what runs. What is
   * written to `output` till then is kept. Rejects when it cannot be run.
   */
  readonly probe: (command: readonly string[], output: ProbeOutput, signal: AbortSignal) => Promise<number>;
  /** After every probe; `changed`: the status is another than before, announce `health_status: <status>`. */
  readonly onResult: (state: HealthState, changed: boolean) => void;
  /** The container became unhealthy and is to be killed (`--health-exit-on-unhealthy`). */
  readonly onUnhealthyExit: () => void;
}

const systemClock: Clock = {
  now: nowMs,
  setTimer: (callback, ms) => {
    const timer = setTimeout(callback, ms);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

/**
 * The health checks of all containers (guide 1.3.7.3, 4.3.3): the first probe comes an interval after the start, each next
 * one an interval after the last was done. Within the start period failures do not count until one succeeded.
 */
export class HealthMonitor implements Disposable {
  readonly #deadlines: Deadlines;
  readonly #clock: Clock;
  readonly #watched = new Map<string, Watched>();

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
    this.#deadlines = new Deadlines(clock);
  }

  /** Begins to watch a container that has started; replaces what it was watched for. */
  start(id: string, request: HealthRequest): HealthState {
    this.stop(id);
    const watched = new Watched(request, this.#clock, this.#deadlines);
    this.#watched.set(id, watched);
    watched.resume();
    return watched.state;
  }

  /** No probes while the container is paused; one that runs is broken off and forgotten. */
  pause(id: string): void {
    this.#watched.get(id)?.pause();
  }

  resume(id: string): void {
    this.#watched.get(id)?.resume();
  }

  /** The container stopped: its last state stays with the caller. */
  stop(id: string): void {
    this.#watched.get(id)?.pause();
    this.#watched.delete(id);
  }

  /** Undefined: not watched. */
  state(id: string): HealthState | undefined {
    return this.#watched.get(id)?.state;
  }

  [Symbol.dispose](): void {
    for (const id of [...this.#watched.keys()]) this.stop(id);
  }
}

class Watched {
  #status: HealthStatus = 'starting';
  #failingStreak = 0;
  #log: readonly HealthProbeResult[];
  #callOff: (() => void) | undefined;
  #running: AbortController | undefined;

  constructor(readonly request: HealthRequest, readonly clock: Clock, readonly deadlines: Deadlines) {
    this.#log = (request.log ?? []).slice(-recordsMax);
  }

  get state(): HealthState {
    return { Status: this.#status, FailingStreak: this.#failingStreak, Log: [...this.#log] };
  }

  resume(): void {
    if (this.#callOff !== undefined || this.#running !== undefined) return;
    this.#callOff = this.deadlines.after(this.#waitMs(), () => {
      this.#callOff = undefined;
      void this.#probe();
    });
  }

  pause(): void {
    this.#callOff?.();
    this.#callOff = undefined;
    this.#running?.abort();
    this.#running = undefined;
  }

  #inStartPeriod(now: number): boolean {
    return this.#status === 'starting' && now - this.request.startedAt < this.request.check.startPeriodMs;
  }

  #waitMs(): number {
    const { intervalMs, startIntervalMs } = this.request.check;
    return this.#inStartPeriod(this.clock.now()) ? Math.min(startIntervalMs, intervalMs) : intervalMs;
  }

  async #probe(): Promise<void> {
    const { check, probe } = this.request;
    const running = new AbortController();
    this.#running = running;
    const startedAt = this.clock.now();
    const output = new ProbeOutput();
    let callOff = (): void => {};
    const overdue = new Promise<'overdue'>((resolve) => {
      callOff = this.deadlines.after(check.timeoutMs, () => resolve('overdue'));
    });
    const done = probe(check.command, output, running.signal).catch((error: unknown) => messageOf(error));
    const outcome = await Promise.race([done, overdue]);
    callOff();
    // Paused or stopped meanwhile: the result is nobody's.
    if (this.#running !== running) return;
    this.#running = undefined;
    if (outcome === 'overdue') running.abort();
    const text = output.text;
    const late = `Health check exceeded timeout (${formatDuration(Math.round(check.timeoutMs * 1e6))})`;
    const overdueText = text === '' ? late : `${late}: ${text}`;
    const Output = outcome === 'overdue' ? overdueText : typeof outcome === 'string' ? outcome.slice(0, outputBytesMax) : text;
    const ExitCode = typeof outcome === 'number' ? outcome : probeFailed;
    const previous = this.#status;
    this.#log = [...this.#log, { Start: formatTime(startedAt), End: formatTime(this.clock.now()), ExitCode, Output }].slice(-recordsMax);
    this.#judge(ExitCode === 0, startedAt);
    this.resume();
    this.request.onResult(this.state, this.#status !== previous);
    if (this.#status === 'unhealthy' && previous !== 'unhealthy' && check.exitOnUnhealthy) this.request.onUnhealthyExit();
  }

  #judge(isHealthy: boolean, startedAt: number): void {
    if (isHealthy) {
      this.#failingStreak = 0;
      this.#status = 'healthy';
      return;
    }
    if (this.#inStartPeriod(startedAt)) return;
    this.#failingStreak++;
    if (this.#failingStreak >= this.request.check.retries) this.#status = 'unhealthy';
  }
}
