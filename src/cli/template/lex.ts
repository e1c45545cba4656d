/** Tokens of Go's text/template, as far as docker's --format uses it. */
export type Token =
  | { kind: 'text'; text: string; at: number }
  | { kind: 'open' | 'close' | 'pipe' | 'leftParen' | 'rightParen' | 'assign' | 'declare' | 'comma' | 'space' | 'dot' | 'end'; at: number }
  | { kind: 'field' | 'variable' | 'word' | 'number' | 'string' | 'char'; text: string; at: number };

/** A template that cannot be parsed or run; the message is Go's. */
export class TemplateError extends Error {
  override readonly name = 'TemplateError';
}

/** Longer templates are refused: they are typed by people. */
const templateLimitChars = 64 * 1024;

/** Line number (from 1) of an offset. */
export function lineOf(source: string, at: number): number {
  let line = 1;
  for (let index = source.indexOf('\n'); index >= 0 && index < at; index = source.indexOf('\n', index + 1)) line++;
  return line;
}

export function parseError(source: string, at: number, message: string): TemplateError {
  return new TemplateError(`template: :${lineOf(source, at)}: ${message}`);
}

/** @throws TemplateError for anything Go's lexer refuses. */
export function lex(source: string): Token[] {
  if (source.length > templateLimitChars) throw new TemplateError(`template: longer than ${templateLimitChars} characters`);
  const tokens: Token[] = [];
  let at = 0;
  let trimNext = false;
  while (at < source.length) {
    const open = source.indexOf('{{', at);
    let text = source.slice(at, open < 0 ? undefined : open);
    if (trimNext) text = text.replace(/^[ \t\r\n]+/, '');
    trimNext = false;
    const start = at;
    if (open < 0) {
      if (text !== '') tokens.push({ kind: 'text', text, at: start });
      break;
    }
    let inside = open + 2;
    if (source[inside] === '-' && /[ \t\r\n]/.test(source[inside + 1] ?? '')) {
      text = text.replace(/[ \t\r\n]+$/, '');
      inside += 2;
    }
    if (text !== '') tokens.push({ kind: 'text', text, at: start });
    if (source.startsWith('/*', inside)) {
      const end = source.indexOf('*/', inside + 2);
      if (end < 0) throw parseError(source, inside, 'unclosed comment');
      const close = /^(?:[ \t\r\n]-)?\}\}/.exec(source.slice(end + 2, end + 6));
      if (close === null) throw parseError(source, end, 'comment ends before closing delimiter');
      trimNext = close[0].length === 4;
      at = end + 2 + close[0].length;
      continue;
    }
    const closed = lexAction(source, open, inside, tokens);
    at = closed.at;
    trimNext = closed.trim;
  }
  tokens.push({ kind: 'end', at: source.length });
  return tokens;
}

/** The tokens of one action, from behind its opening; gives where its closing ends. */
function lexAction(source: string, open: number, from: number, tokens: Token[]): { at: number; trim: boolean } {
  tokens.push({ kind: 'open', at: open });
  const push = (kind: 'pipe' | 'leftParen' | 'rightParen' | 'assign' | 'declare' | 'comma' | 'space' | 'dot' | 'close', length: number): void => {
    tokens.push({ kind, at });
    at += length;
  };
  let at = from;
  let parens = 0;
  for (;;) {
    const rest = source.slice(at, at + 4);
    if (rest === '') throw parseError(source, open, 'unclosed action');
    const trimmed = /^[ \t\r\n]-\}\}/.test(rest);
    if (trimmed || rest.startsWith('}}')) {
      if (parens > 0) throw parseError(source, at, 'unclosed left paren');
      push('close', trimmed ? 4 : 2);
      return { at, trim: trimmed };
    }
    const space = match(/[ \t\r\n]+/y, source, at);
    if (space !== undefined) {
      // A space before " -}}" belongs to the trim marker.
      const marker = source.startsWith('-}}', at + space.length);
      push('space', marker && space.length > 1 ? space.length - 1 : space.length);
      if (marker && space.length === 1) at -= 1;
      continue;
    }
    const char = rest[0] ?? '';
    if (rest.startsWith(':=')) push('declare', 2);
    else if (char === '=') push('assign', 1);
    else if (char === '|') push('pipe', 1);
    else if (char === ',') push('comma', 1);
    else if (char === '(') {
      parens++;
      push('leftParen', 1);
    } else if (char === ')') {
      if (--parens < 0) throw parseError(source, at, 'unexpected right paren');
      push('rightParen', 1);
    } else if (char === '"' || char === '`') at = lexString(source, at, char, tokens);
    else if (char === "'") {
      const found = match(/'(?:\\.|[^'\\\n])+'/y, source, at);
      if (found === undefined) throw parseError(source, at, 'unterminated character constant');
      tokens.push({ kind: 'char', text: found, at });
      at += found.length;
    } else at = lexWord(source, at, tokens);
  }
}

function lexString(source: string, at: number, quote: string, tokens: Token[]): number {
  const found = match(quote === '"' ? /"(?:\\.|[^"\\\n])*"/y : /`[^`]*`/y, source, at);
  if (found === undefined) throw parseError(source, at, quote === '"' ? 'unterminated quoted string' : 'unterminated raw quoted string');
  tokens.push({ kind: 'string', text: found, at });
  return at + found.length;
}

function lexWord(source: string, at: number, tokens: Token[]): number {
  const patterns = [
    ['number', /[+-]?(?:0[xX][0-9a-fA-F_]+|(?:\d[\d_]*)?\.?\d+(?:[eE][+-]?\d+)?)/y],
    ['field', /\.[\p{L}_][\p{L}\p{Nd}_]*/uy],
    ['variable', /\$(?:[\p{L}_][\p{L}\p{Nd}_]*)?/uy],
    ['word', /[\p{L}_][\p{L}\p{Nd}_]*/uy],
  ] as const;
  for (const [kind, pattern] of patterns) {
    const text = match(pattern, source, at);
    if (text === undefined) continue;
    const next = source[at + text.length] ?? '}';
    if (!/[\s.,|:()=}]/.test(next)) {
      throw parseError(source, at, kind === 'number' ? `bad number syntax: ${JSON.stringify(text + next)}` : `bad character ${codePoint(next)}`);
    }
    tokens.push({ kind, text, at });
    return at + text.length;
  }
  if (source[at] === '.') {
    tokens.push({ kind: 'dot', at });
    return at + 1;
  }
  throw parseError(source, at, `unexpected ${JSON.stringify(source[at])} in command`);
}

function codePoint(char: string): string {
  return `U+${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')} '${char}'`;
}

function match(pattern: RegExp, source: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(source)?.[0];
}
