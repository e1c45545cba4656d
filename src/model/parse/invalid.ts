import { EngineError } from '../../base/index.ts';

/** Longest text of a user that a message repeats. */
const maxQuoted = 200;

/** The error of every parser here. */
export function invalid(message: string): EngineError {
  return new EngineError('invalidArgument', message);
}

/** A user's text as a message shows it: not longer than it helps, control characters made visible. */
export function shown(text: string): string {
  const short = text.length > maxQuoted ? `${text.slice(0, maxQuoted)}…` : text;
  return short.replace(/[\u0000-\u001f\u007f]/g, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

/** What stands before and behind the first separator; `after` is undefined without one. */
export function cut(text: string, separator: string): { before: string; after: string | undefined } {
  const at = text.indexOf(separator);
  return at < 0 ? { before: text, after: undefined } : { before: text.slice(0, at), after: text.slice(at + separator.length) };
}
