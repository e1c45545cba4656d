/**
 * The one error type that crosses subsystem borders.
 *
 * A code says what class of failure it is; the message is for the user: what failed, a colon, the state found.
 * The codes are mapped once to HTTP status (api/docker), gRPC status (api/cri) and exit code (cli).
 */
export type ErrorCode =
  | 'notFound'
  | 'conflict'
  | 'invalidArgument'
  | 'notModified'
  | 'unauthorized'
  | 'forbidden'
  | 'unavailable'
  | 'unsupported'
  | 'tooLarge'
  | 'resourceExhausted'
  | 'cancelled'
  | 'timeout'
  | 'internal';

export class EngineError extends Error {
  override readonly name = 'EngineError';
  /**
   * The exit status a client should end with where the failure is that of the container's command:
   * 126 not executable, 127 not found, else undefined (125 by convention).
   */
  readonly exitCode: number | undefined;

  constructor(readonly code: ErrorCode, message: string, options?: { cause?: unknown; exitCode?: number }) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause });
    this.exitCode = options?.exitCode;
  }
}

/** True for an EngineError, of the given code where one is named. */
export function isEngineError(error: unknown, code?: ErrorCode): error is EngineError {
  return error instanceof EngineError && (code === undefined || error.code === code);
}

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Why a call on a file failed, without the code, the call and the path that Node adds: `no such file or directory`. */
export function reasonOf(error: unknown): string {
  return /^[A-Z][A-Z0-9]+: (.+?), [a-z]+(?: '.*')?$/s.exec(messageOf(error))?.[1] ?? messageOf(error);
}

/** The errno name (`ENOENT`) of a system error, else undefined. */
export function errnoOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** A full disk said as such, for users: `what` failed. Other errors as they are. */
export function explainFullDisk(error: unknown, what: string): unknown {
  const errno = errnoOf(error);
  if (error instanceof EngineError || (errno !== 'ENOSPC' && errno !== 'EDQUOT')) return error;
  return new EngineError('resourceExhausted', `${what}: no space left on device`, { cause: error });
}
