import { Lane } from '../base/index.ts';
import type { ExecId, ProcessSession } from '../base/index.ts';
import type { ExecSession } from './exec-session.ts';
import type { ContainerDynamics, ContainerRecord } from './record.ts';
import type { WaitCondition, WaitResult } from './types.ts';

export interface Waiter {
  condition: WaitCondition;
  settle(result: WaitResult): void;
}

/** An attach that came before the start: connected between the runtime's create and start, so that no output is lost. */
export interface PendingAttach {
  connect(bundlePath: string): Promise<void>;
  /** The container will not start. */
  abandon(error: Error | undefined): void;
}

/** What belongs to one run and ends with it. */
export interface RunHandles {
  /** Resolves when the exit file of this run was seen. */
  readonly exited: Promise<void>;
  markExited(): void;
  /** Stops health checks and whatever else watches this run. */
  stop(): void;
}

/** One container in memory: its record, its lane, and who waits for it. */
export class Container {
  readonly lane = new Lane();
  readonly waiters = new Set<Waiter>();
  readonly pendingAttaches = new Set<PendingAttach>();
  readonly sessions = new Set<ProcessSession>();
  readonly execs = new Map<ExecId, ExecSession>();
  run: RunHandles | undefined;
  restartTimer: ReturnType<typeof setTimeout> | undefined;
  /** How long the policy waits before the next restart; grows with each that fails soon. */
  restartDelayMs = 0;
  /** Set once removal has begun: nothing new may start. */
  removing = false;
  /** A user asks for the end: the next exit is no reason to restart. */
  stopRequested = false;

  constructor(readonly record: ContainerRecord, readonly dynamics: ContainerDynamics) {}

  get id() {
    return this.record.id;
  }

  get name() {
    return this.record.name;
  }

  get state() {
    return this.dynamics.state;
  }

  get isRunning(): boolean {
    return this.state.status === 'running' || this.state.status === 'paused';
  }

  /** Called by followers of the log when the run or the container ends. */
  readonly watchers = new Set<() => void>();

  notify(): void {
    for (const wake of this.watchers) wake();
  }

  settleWaiters(conditions: readonly WaitCondition[], result: WaitResult): void {
    for (const waiter of this.waiters) {
      if (!conditions.includes(waiter.condition)) continue;
      this.waiters.delete(waiter);
      waiter.settle(result);
    }
  }
}
