/** 1: standard output, 2: standard error. A terminal's output is all 1. */
export type OutputStream = 1 | 2;

/**
 * Where output goes, with backpressure: `write` gives undefined when it can take more at once, else a promise to wait for
 * before the next write. The source stops reading meanwhile, so a slow sink never grows memory. A chunk is only valid until
 * the promise settles (or the call returns): a sink that keeps it copies it.
 */
export interface OutputSink {
  write(stream: OutputStream, chunk: Uint8Array): Promise<void> | undefined;
  /** No more output will come. */
  end(): void;
  /** The source failed. */
  fail(error: Error): void;
}

/** The live input side of an attached process, and the end of the session. */
export interface ProcessSession {
  /** Sends input; resolves when it was accepted (backpressure). After the process's end it resolves and drops the bytes. */
  writeInput(chunk: Uint8Array): Promise<void> | undefined;
  /** End of input (half-close). */
  closeInput(): void;
  /** Leaves; the process goes on. */
  detach(): void;
  /** Settles when all output was delivered or the session was left. */
  readonly closed: Promise<void>;
}
