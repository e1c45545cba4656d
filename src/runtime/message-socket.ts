import { EngineError } from '../base/index.ts';
import { connectFd } from '../linux/index.ts';

/** conmon's messages are short; its longest carries 8 KB of the runtime's errors, escaped. */
const messageLimitBytes = 64 * 1024;

export interface ConmonMessage {
  /** A pid, an exit code, or -1 with a message. */
  data: number;
  message: string;
}

/** conmon's sync pipe: one JSON object per line, `{"pid": N}` or with --api-version `{"data": N}`, with `message` for a failure. */
export class MessageSocket {
  readonly #ready: ConmonMessage[] = [];
  readonly #waiting: ((message: ConmonMessage | undefined) => void)[] = [];
  readonly #decoder = new TextDecoder();
  #text = '';
  #ended = false;
  #socket: { write(data: Uint8Array): number; end(): void } | undefined;

  /** Takes the descriptor over. */
  static async open(fd: number): Promise<MessageSocket> {
    const made = new MessageSocket();
    made.#socket = await connectFd(fd, {
      data: (_socket, chunk) => made.#push(chunk),
      close: () => made.#end(),
      end: () => made.close(),
      error: () => made.#end(),
    });
    return made;
  }

  /** The next message; undefined when the other side closed without one. */
  next(): Promise<ConmonMessage | undefined> {
    const ready = this.#ready.shift();
    if (ready || this.#ended) return Promise.resolve(ready);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Lets conmon go on, where it waits for that. */
  go(): void {
    this.#socket?.write(new Uint8Array([10]));
  }

  close(): void {
    this.#socket?.end();
    this.#end();
  }

  #push(chunk: Uint8Array): void {
    this.#text += this.#decoder.decode(chunk, { stream: true });
    if (this.#text.length > messageLimitBytes) {
      this.close();
      return;
    }
    for (let at = this.#text.indexOf('\n'); at >= 0; at = this.#text.indexOf('\n')) {
      const message = parseMessage(this.#text.slice(0, at));
      this.#text = this.#text.slice(at + 1);
      const waiting = this.#waiting.shift();
      if (waiting) waiting(message);
      else this.#ready.push(message);
    }
  }

  #end(): void {
    this.#ended = true;
    for (const waiting of this.#waiting.splice(0)) waiting(undefined);
  }
}

function parseMessage(line: string): ConmonMessage {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    return { data: -1, message: line };
  }
  if (typeof parsed !== 'object' || parsed === null) throw new EngineError('internal', `conmon said ${line.slice(0, 200)}`);
  const number = 'pid' in parsed ? parsed.pid : 'data' in parsed ? parsed.data : undefined;
  const message = 'message' in parsed && typeof parsed.message === 'string' ? parsed.message : '';
  return { data: typeof number === 'number' ? number : -1, message };
}
