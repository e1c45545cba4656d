import { closeSync, fchmodSync, fstatSync, openSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { ensureDir, errnoOf, logLevels, type Logger, type LogLevel } from '../base/index.ts';
import type { DaemonConfig } from './config/index.ts';

/** Longer messages are cut. */
const maxMessageLength = 16 * 1024;
/** What may wait for a slow reader of standard output before messages are dropped. */
const maxWaitingBytes = 1024 * 1024;

export interface DaemonLogger extends Logger, Disposable {
  fatal(message: string): void;
  setLevel(level: LogLevel): void;
}

/** Where lines go. `write` never throws: a full disk or a closed pipe costs messages, not the daemon. */
interface LineSink {
  write(line: string): void;
  close(): void;
}

/** The daemon's log (`--log-driver`, `--log-level`, `--log-opt`). @throws when the log file cannot be opened. */
export function openLogger(config: DaemonConfig): DaemonLogger {
  const sink = config.logDriver === 'file'
    ? new RotatingFile(join(config.logPath, 'isulad.log'), config.logFileMode, config.logMaxBytes, config.logMaxFiles)
    : standardOutput();
  let threshold = logLevels.indexOf(config.logLevel);
  const log = (level: LogLevel) => (message: string) => {
    if (logLevels.indexOf(level) > threshold) return;
    const text = message.length > maxMessageLength ? `${message.slice(0, maxMessageLength)}…` : message;
    // One message is one line, whatever a client made us say.
    sink.write(`${new Date().toISOString()} isulad ${level} ${text.replace(/[\0-\x1f\x7f-\x9f\u2028\u2029]/g, shownControl)}\n`);
  };
  return {
    fatal: log('FATAL'),
    error: log('ERROR'),
    warn: log('WARN'),
    info: log('INFO'),
    debug: log('DEBUG'),
    setLevel(level) {
      threshold = logLevels.indexOf(level);
    },
    [Symbol.dispose]: () => sink.close(),
  };
}

function shownControl(character: string): string {
  return character === '\n' ? '\\n' : `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
}

function standardOutput(): LineSink {
  // A reader that went away (journald restarted, guide 4.2.1.2.6) is no reason to die.
  process.stdout.on('error', () => undefined);
  return {
    write(line) {
      if (process.stdout.writableLength < maxWaitingBytes) process.stdout.write(line);
    },
    close() {},
  };
}

/** A file of at most `maxBytes`, then `file.1`, `file.2` …; with `maxFiles` 1 it is never rotated (guide 1.2.3.1, log-opts). */
class RotatingFile implements LineSink {
  #fd: number;
  #bytes: number;

  constructor(readonly path: string, readonly mode: number, readonly maxBytes: number, readonly maxFiles: number) {
    ensureDir(join(path, '..'));
    this.#fd = this.#open();
    this.#bytes = fstatSync(this.#fd).size;
  }

  write(line: string): void {
    const bytes = Buffer.from(line);
    try {
      if (this.maxFiles > 1 && this.#bytes > 0 && this.#bytes + bytes.length > this.maxBytes) this.#rotate();
      this.#bytes += writeSync(this.#fd, bytes);
    } catch {
      // There is nowhere left to tell it.
    }
  }

  close(): void {
    closeSync(this.#fd);
  }

  #open(): number {
    const fd = openSync(this.path, 'a', this.mode);
    fchmodSync(fd, this.mode);
    return fd;
  }

  #rotate(): void {
    for (let index = this.maxFiles - 1; index > 0; index--) {
      try {
        renameSync(index === 1 ? this.path : `${this.path}.${index - 1}`, `${this.path}.${index}`);
      } catch (error) {
        if (errnoOf(error) !== 'ENOENT') throw error;
      }
    }
    const next = this.#open();
    closeSync(this.#fd);
    this.#fd = next;
    this.#bytes = 0;
  }
}
