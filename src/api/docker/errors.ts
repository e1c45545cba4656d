import { EngineError, type ErrorCode, isEngineError, messageOf } from '../../base/index.ts';

/** The one table of HTTP statuses (moby: api/server/httpstatus). */
const statuses: Readonly<Record<ErrorCode, number>> = {
  notFound: 404,
  conflict: 409,
  invalidArgument: 400,
  notModified: 304,
  unauthorized: 401,
  forbidden: 403,
  unavailable: 503,
  unsupported: 501,
  tooLarge: 413,
  resourceExhausted: 429,
  cancelled: 499,
  timeout: 504,
  internal: 500,
};

export interface HttpFailure {
  readonly status: number;
  readonly message: string;
}

/** What a client is told of whatever was thrown. */
export function failureOf(error: unknown): HttpFailure {
  if (!isEngineError(error)) return { status: 500, message: messageOf(error) };
  // Docker: a command that is not found or not executable is the request's fault; its client makes 127 and 126 of the message.
  if (error.exitCode !== undefined) return { status: 400, message: error.message };
  return { status: statuses[error.code], message: error.message };
}

export function badRequest(message: string): EngineError {
  return new EngineError('invalidArgument', message);
}
