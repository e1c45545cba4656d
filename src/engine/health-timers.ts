/** Where time comes from; tests have their own. */
export interface Clock {
  /** ms since the epoch, with fractions. */
  now(): number;
  /** Calls back once, `ms` from now; gives how to call it off. */
  setTimer(callback: () => void, ms: number): () => void;
}

interface Deadline {
  readonly at: number;
  readonly run: () => void;
  /** Where it stands in the heap; -1 once it is out. */
  index: number;
}

/** The longest wait a timer takes. */
const timerMax = 2 ** 31 - 1;

/** Any number of deadlines on one timer: a binary heap, so that hundreds of health checks cost one wake-up each. */
export class Deadlines {
  readonly #heap: Deadline[] = [];
  readonly #clock: Clock;
  #callOff: (() => void) | undefined;
  #armedFor = Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Runs `run` once, `ms` from now; gives how to call it off. */
  after(ms: number, run: () => void): () => void {
    const deadline: Deadline = { at: this.#clock.now() + ms, run, index: this.#heap.length };
    this.#heap.push(deadline);
    this.#up(deadline);
    this.#arm();
    return () => {
      this.#drop(deadline);
      this.#arm();
    };
  }

  #arm(): void {
    const first = this.#heap[0]?.at ?? Infinity;
    if (first === this.#armedFor) return;
    this.#callOff?.();
    this.#callOff = undefined;
    this.#armedFor = first;
    if (first === Infinity) return;
    this.#callOff = this.#clock.setTimer(() => this.#due(), Math.min(Math.max(0, Math.ceil(first - this.#clock.now())), timerMax));
  }

  #due(): void {
    this.#armedFor = Infinity;
    const now = this.#clock.now();
    for (let first = this.#heap[0]; first !== undefined && first.at <= now; first = this.#heap[0]) {
      this.#drop(first);
      first.run();
    }
    this.#arm();
  }

  #drop(deadline: Deadline): void {
    const { index } = deadline;
    if (index < 0) return;
    deadline.index = -1;
    const last = this.#heap.pop();
    if (last === undefined || last === deadline) return;
    last.index = index;
    this.#heap[index] = last;
    this.#up(last);
    this.#down(last);
  }

  #put(deadline: Deadline, index: number): void {
    deadline.index = index;
    this.#heap[index] = deadline;
  }

  #up(deadline: Deadline): void {
    while (deadline.index > 0) {
      const { index } = deadline;
      const parent = this.#heap[(index - 1) >> 1];
      if (parent === undefined || parent.at <= deadline.at) return;
      const target = parent.index;
      this.#put(parent, index);
      this.#put(deadline, target);
    }
  }

  #down(deadline: Deadline): void {
    for (;;) {
      const { index } = deadline;
      const left = this.#heap[2 * index + 1];
      const right = this.#heap[2 * index + 2];
      const child = left !== undefined && right !== undefined && right.at < left.at ? right : left;
      if (child === undefined || child.at >= deadline.at) return;
      const target = child.index;
      this.#put(child, index);
      this.#put(deadline, target);
    }
  }
}
