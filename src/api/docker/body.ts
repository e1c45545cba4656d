import type { IncomingMessage } from 'node:http';
import { EngineError, messageOf } from '../../base/index.ts';
import { badRequest } from './errors.ts';

/** A JSON body: the largest honest ones (create with thousands of options) are far below. */
export const jsonBodyMax = 4 * 1024 * 1024;
/** A JSON body has to arrive within this time. */
export const jsonBodyMs = 60_000;

/**
 * The bytes of a request's body.
 * @throws tooLarge beyond the limit, invalidArgument when it breaks off, timeout
 */
export async function readBody(request: IncomingMessage, limitBytes = jsonBodyMax): Promise<Buffer> {
  const declared = Number(request.headers['content-length'] ?? '0');
  const tooLarge = (): EngineError => new EngineError('tooLarge', `request body too large: at most ${limitBytes} bytes are allowed`);
  if (declared > limitBytes) throw tooLarge();
  if (!hasBody(request)) return Buffer.alloc(0);
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let size = 0;
    const settle = (outcome: () => void): void => {
      clearTimeout(timer);
      request.off('data', onData).off('end', onEnd).off('error', onBroken).off('close', onBroken).off('aborted', onBroken);
      outcome();
    };
    const onData = (chunk: Buffer): void => {
      size += chunk.length;
      parts.push(chunk);
      if (size > limitBytes) settle(() => reject(tooLarge()));
    };
    const onEnd = (): void => settle(() => resolve(Buffer.concat(parts, size)));
    const onBroken = (): void => settle(() => reject(badRequest('the request body broke off')));
    const timer = setTimeout(() => settle(() => reject(new EngineError('timeout', 'the request body did not come in time'))), jsonBodyMs);
    request.on('data', onData).on('end', onEnd).on('error', onBroken).on('close', onBroken).on('aborted', onBroken);
  });
}

/** True when the request carries a body, of whatever length. */
export function hasBody(request: IncomingMessage): boolean {
  return request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? '0') > 0;
}

/** Parses a JSON body; an empty one is undefined. @throws invalidArgument for another content type, or what is not JSON. */
export function parseJsonBody(bytes: Buffer, contentType: string | undefined): unknown {
  if (bytes.length === 0) return undefined;
  const type = (contentType ?? '').split(';', 1)[0]?.trim().toLowerCase();
  if (type !== 'application/json') throw badRequest(`unsupported Content-Type header (${contentType ?? ''}): must be 'application/json'`);
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw badRequest(`invalid JSON: ${messageOf(error)}`);
  }
}
