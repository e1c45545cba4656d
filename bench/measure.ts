import { readFileSync } from 'node:fs';
import type { Contender } from './contender.ts';

/** Samples by engine and by what was measured. */
export class Samples {
  readonly #values = new Map<string, Map<string, number[]>>();

  add(what: string, engine: string, value: number): void {
    const row = this.#values.get(what) ?? new Map<string, number[]>();
    this.#values.set(what, row);
    row.set(engine, [...(row.get(engine) ?? []), value]);
  }

  /** What was measured, in the order of the first samples. */
  get rows(): string[] {
    return [...this.#values.keys()];
  }

  median(what: string, engine: string): number | undefined {
    return median(this.#values.get(what)?.get(engine) ?? []);
  }
}

export function median(values: readonly number[]): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [low, high] = [sorted[sorted.length % 2 === 0 ? middle - 1 : middle], sorted[middle]];
  return low === undefined || high === undefined ? undefined : (low + high) / 2;
}

/** The engines in an order that changes with the round: none is always first. */
export function rotated(engines: readonly Contender[], round: number): Contender[] {
  return engines.map((_, index) => engines[(index + round) % engines.length]).filter((engine) => engine !== undefined);
}

/** Proportional set size of processes, in bytes: what each has for itself, and its share of what it shares. Those that ended count nothing. */
export function pssBytes(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + pssOf(pid), 0);
}

function pssOf(pid: number): number {
  try {
    return Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

/** Samples the memory of an engine's daemon until disposed; `growth` is the peak over the first sample, in bytes. */
export class MemoryWatch implements Disposable {
  readonly #pids: readonly number[];
  readonly #first: number;
  #peak: number;
  readonly #timer: ReturnType<typeof setInterval>;

  constructor(engine: Contender) {
    this.#pids = engine.daemons();
    this.#first = pssBytes(this.#pids);
    this.#peak = this.#first;
    this.#timer = setInterval(() => this.#sample(), 100);
  }

  get growth(): number {
    this.#sample();
    return this.#peak - this.#first;
  }

  #sample(): void {
    this.#peak = Math.max(this.#peak, pssBytes(this.#pids));
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
