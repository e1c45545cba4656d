import { EngineError } from '../base/index.ts';
import { exitCodeOf, jsonLines, numberAt, textAt, type Body } from '../client/index.ts';
import { humanSize } from './format/units.ts';
import { print, printError } from './terminal/output.ts';
import { isTerminal, terminalSize } from './terminal/terminal.ts';

export interface ProgressOptions {
  /** Show nothing but failures. */
  quiet: boolean;
  /** The descriptor that progress goes to. */
  output: 1 | 2;
}

/** Lines that the bars may take: more layers than the screen has lines are shown without moving. */
const barsMax = 200;
const barWidth = 30;
const redrawMs = 50;

/**
 * Shows Docker's JSON progress stream to its end: bars on a terminal, one a layer; plain lines elsewhere. Every message is
 * handed to `see` as well. @throws EngineError for the error that the stream reports.
 */
export async function showProgress(body: Body, options: ProgressOptions, see: (message: unknown) => void = () => undefined): Promise<void> {
  const show = options.output === 1 ? print : printError;
  const bars = !options.quiet && isTerminal(options.output) ? new Bars(show, await terminalSize()) : undefined;
  let failure: string | undefined;
  try {
    for await (const message of jsonLines(body)) {
      see(message);
      const error = textAt(message, 'errorDetail', 'message') || textAt(message, 'error');
      if (error !== '') failure = error;
      else if (bars !== undefined) bars.add(message);
      else if (!options.quiet) show(plainLine(message));
    }
  } finally {
    bars?.finish();
  }
  if (failure !== undefined) {
    const exitCode = exitCodeOf(failure);
    throw new EngineError('internal', failure, exitCode === undefined ? {} : { exitCode });
  }
}

/** A message as a line; pure progress of a layer says nothing without a bar. */
function plainLine(message: unknown): string {
  const stream = textAt(message, 'stream');
  if (stream !== '') return stream;
  if (numberAt(message, 'progressDetail', 'current') > 0) return '';
  const status = textAt(message, 'status');
  const id = textAt(message, 'id');
  return status === '' ? '' : `${id === '' ? '' : `${id}: `}${status}\n`;
}

interface Bar {
  text: string;
  startedAt: number;
  startBytes: number;
}

/** Lines that change in place, one an id, by cursor movement. */
class Bars {
  readonly #bars = new Map<string, Bar>();
  #drawn = 0;
  #drawnAt = 0;
  #dirty = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly show: (text: string) => void, readonly size: { rows: number; columns: number } | undefined) {}

  add(message: unknown): void {
    const id = textAt(message, 'id');
    const status = textAt(message, 'status');
    if (id === '' || (!this.#bars.has(id) && this.#bars.size >= Math.min(barsMax, (this.size?.rows ?? barsMax) - 1))) {
      const line = textAt(message, 'stream') || (status === '' ? '' : `${id === '' ? '' : `${id}: `}${status}\n`);
      if (line !== '') this.#above(line);
      return;
    }
    const current = numberAt(message, 'progressDetail', 'current');
    const total = numberAt(message, 'progressDetail', 'total');
    const before = this.#bars.get(id);
    const bar = before?.text.startsWith(status) === true ? before : { text: '', startedAt: performance.now(), startBytes: current };
    bar.text = current > 0 || total > 0 ? `${status} ${barText(current, total, bar)}` : status;
    this.#bars.set(id, bar);
    this.#dirty = true;
    // The last message before a pause must show as well.
    const waitMs = this.#drawnAt + redrawMs - performance.now();
    if (waitMs <= 0) this.#draw();
    else this.#timer ??= setTimeout(() => this.#draw(), waitMs);
  }

  finish(): void {
    if (this.#dirty) this.#draw();
    clearTimeout(this.#timer);
  }

  /** A line that stays, above the bars. */
  #above(line: string): void {
    this.#erase();
    this.show(line);
    this.#drawn = 0;
    if (this.#bars.size > 0) this.#draw();
  }

  #erase(): void {
    if (this.#drawn > 0) this.show(`\x1b[${this.#drawn}A\x1b[J`);
  }

  #draw(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const columns = this.size?.columns ?? 80;
    let text = this.#drawn > 0 ? `\x1b[${this.#drawn}A` : '';
    for (const [id, bar] of this.#bars) text += `\x1b[2K${`${id}: ${bar.text}`.slice(0, columns - 1)}\r\n`;
    this.show(text);
    this.#drawn = this.#bars.size;
    this.#drawnAt = performance.now();
    this.#dirty = false;
  }
}

function barText(current: number, total: number, bar: Bar): string {
  const seconds = (performance.now() - bar.startedAt) / 1000;
  const rate = seconds > 0.5 && current > bar.startBytes ? `  ${humanSize((current - bar.startBytes) / seconds)}/s` : '';
  if (total <= 0) return humanSize(current) + rate;
  const filled = Math.min(barWidth, Math.floor((current / total) * barWidth));
  const bars = `[${'='.repeat(filled)}${filled < barWidth ? '>' : ''}${' '.repeat(Math.max(0, barWidth - filled - 1))}]`;
  return `${bars} ${humanSize(current)}/${humanSize(total)}${rate}`;
}
