import { EngineError } from '../../base/index.ts';

/** What this engine does not have; `what` is the subject of the message. */
export function unsupported(what: string): EngineError {
  return new EngineError('unsupported', `${what} are not supported by iSula`);
}
