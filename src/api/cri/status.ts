import { status } from '@grpc/grpc-js';
import { type ErrorCode, isEngineError, messageOf } from '../../base/index.ts';

/** The one table of gRPC statuses. */
const statuses: Readonly<Record<ErrorCode, status>> = {
  notFound: status.NOT_FOUND,
  conflict: status.ALREADY_EXISTS,
  invalidArgument: status.INVALID_ARGUMENT,
  notModified: status.FAILED_PRECONDITION,
  unauthorized: status.UNAUTHENTICATED,
  forbidden: status.PERMISSION_DENIED,
  unavailable: status.UNAVAILABLE,
  unsupported: status.UNIMPLEMENTED,
  tooLarge: status.RESOURCE_EXHAUSTED,
  resourceExhausted: status.RESOURCE_EXHAUSTED,
  cancelled: status.CANCELLED,
  timeout: status.DEADLINE_EXCEEDED,
  internal: status.INTERNAL,
};

/** What a gRPC client is told of whatever was thrown. */
export function statusOf(error: unknown): { code: status; details: string } {
  return { code: isEngineError(error) ? statuses[error.code] : status.INTERNAL, details: messageOf(error) };
}
