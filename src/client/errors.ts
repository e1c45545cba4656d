import { EngineError, type ErrorCode } from '../base/index.ts';
import { textAt } from './json.ts';

const codes: Readonly<Record<number, ErrorCode>> = {
  304: 'notModified', 400: 'invalidArgument', 401: 'unauthorized', 403: 'forbidden', 404: 'notFound', 409: 'conflict', 413: 'tooLarge',
  429: 'resourceExhausted', 501: 'unsupported', 503: 'unavailable', 504: 'timeout',
};

/** A failure that the daemon reported, told apart from those of the way to it. */
export class DaemonError extends EngineError {
  constructor(readonly status: number, message: string) {
    const exitCode = exitCodeOf(message);
    super(codes[status] ?? 'internal', message, exitCode === undefined ? {} : { exitCode });
  }
}

/** The error of an answer with a status of 300 or more: `{"message": …}`, or whatever text it holds. */
export function daemonError(status: number, body: string): DaemonError {
  let message = '';
  try {
    message = textAt(JSON.parse(body), 'message');
  } catch {
    // Not JSON: a proxy or something else answered.
  }
  return new DaemonError(status, message === '' ? body.trim() || `the daemon answered with status ${status}` : message);
}

/**
 * Docker's convention: 127 when the container's command was not found, 126 when it could not be executed. The API
 * carries the message only. A missing device or hook file is the engine's failure (guide 1.3.1.3: 125).
 */
export function exitCodeOf(message: string): number | undefined {
  // Runtimes and the daemon say what they could not execute as `exec: "x": why` or `exec /x: why`.
  if (!/executable file\b.*not found|\bexec(?:: "[^"]*"| \S+): /i.test(message)) return undefined;
  if (/permission denied|is a directory|exec format error/i.test(message)) return 126;
  return /not found|no such file or directory/i.test(message) ? 127 : undefined;
}
