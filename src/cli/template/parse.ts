import { lex, parseError, TemplateError, type Token } from './lex.ts';

/** `at` is where Go's error messages point to; `text` how the node prints itself. */
export type Expression =
  | { kind: 'dot' | 'nil'; at: number; text: string }
  | { kind: 'field'; names: string[]; at: number; text: string }
  | { kind: 'variable'; name: string; names: string[]; at: number; text: string }
  | { kind: 'literal'; value: string | number | boolean; at: number; text: string }
  | { kind: 'call'; name: string; at: number; text: string }
  | { kind: 'pipe'; pipe: Pipe; names: string[]; at: number; text: string };

/** A command: its first operand and the arguments after it. */
export interface Command {
  operands: Expression[];
  at: number;
}

export interface Pipe {
  /** Variables that the pipe's value goes to. */
  targets: string[];
  declares: boolean;
  commands: Command[];
  at: number;
}

export type Node =
  | { kind: 'text'; text: string }
  | { kind: 'action'; pipe: Pipe }
  | { kind: 'if' | 'with' | 'range'; pipe: Pipe; body: Node[]; otherwise: Node[]; at: number }
  | { kind: 'break' }
  | { kind: 'continue' };

/** Deeper nesting is refused, so that neither parsing nor running can exhaust the stack. */
const depthMax = 100;

/** @throws TemplateError with Go's message (`template: :1: unclosed action`). */
export function parseTemplate(source: string, knows: (name: string) => boolean): Node[] {
  return new Parser(source, knows).parse();
}

class Parser {
  readonly #tokens: Token[];
  #next = 0;
  #variables: string[] = ['$'];
  #depth = 0;
  #loops = 0;

  constructor(readonly source: string, readonly knows: (name: string) => boolean) {
    this.#tokens = lex(source);
  }

  parse(): Node[] {
    const { nodes, ending } = this.#list();
    if (ending !== 'eof') throw this.#error(this.#peek().at, `unexpected {{${ending}}}`);
    return nodes;
  }

  #peek(): Token {
    return this.#tokens[this.#next] ?? { kind: 'end', at: this.source.length };
  }

  #take(): Token {
    const token = this.#peek();
    this.#next++;
    return token;
  }

  #skipSpace(): void {
    while (this.#peek().kind === 'space') this.#next++;
  }

  #error(at: number, message: string): TemplateError {
    return parseError(this.source, at, message);
  }

  #deeper<T>(work: () => T): T {
    if (++this.#depth > depthMax) throw this.#error(this.#peek().at, 'nested too deeply');
    try {
      return work();
    } finally {
      this.#depth--;
    }
  }

  /** Nodes up to `{{end}}`, `{{else…}}` or the end of the source; the closing token of `end` is consumed. */
  #list(): { nodes: Node[]; ending: 'end' | 'else' | 'eof' } {
    const nodes: Node[] = [];
    for (;;) {
      const token = this.#take();
      if (token.kind === 'end') return { nodes, ending: 'eof' };
      if (token.kind === 'text') {
        nodes.push({ kind: 'text', text: token.text });
        continue;
      }
      this.#skipSpace();
      const first = this.#peek();
      const word = first.kind === 'word' ? first.text : '';
      if (word === 'end' || word === 'else') {
        this.#next++;
        if (word === 'end') this.#close('end');
        return { nodes, ending: word };
      }
      if (word === 'if' || word === 'with' || word === 'range') {
        this.#next++;
        nodes.push(this.#deeper(() => this.#control(word, first.at)));
      } else if (word === 'break' || word === 'continue') {
        this.#next++;
        if (this.#loops === 0) throw this.#error(first.at, `{{${word}}} outside {{range}}`);
        this.#close(word);
        nodes.push({ kind: word });
      } else if (word === 'template' || word === 'define' || word === 'block') {
        throw this.#error(first.at, `{{${word}}} is not supported in a format`);
      } else {
        nodes.push({ kind: 'action', pipe: this.#pipe('command', 'close') });
      }
    }
  }

  #close(context: string): void {
    this.#skipSpace();
    const token = this.#take();
    if (token.kind !== 'close') throw this.#error(token.at, `unexpected ${describe(token)} in ${context}`);
  }

  #control(kind: 'if' | 'with' | 'range', at: number): Node {
    const scope = this.#variables.length;
    const pipe = this.#pipe(kind, 'close');
    if (kind === 'range') this.#loops++;
    const { nodes: body, ending } = this.#list();
    if (kind === 'range') this.#loops--;
    let otherwise: Node[] = [];
    if (ending === 'else') {
      this.#skipSpace();
      const next = this.#peek();
      if (kind !== 'range' && next.kind === 'word' && (next.text === 'if' || next.text === 'with')) {
        // {{else if}}: the rest of the chain is one nested node and shares its {{end}}.
        this.#next++;
        const chained = next.text;
        otherwise = [this.#deeper(() => this.#control(chained, next.at))];
        this.#variables.length = scope;
        return { kind, pipe, body, otherwise, at };
      }
      this.#close('else');
      const rest = this.#list();
      if (rest.ending === 'else') throw this.#error(this.#peek().at, 'expected end; found {{else}}');
      if (rest.ending === 'eof') throw this.#error(this.source.length, 'unexpected EOF');
      otherwise = rest.nodes;
    } else if (ending === 'eof') throw this.#error(this.source.length, 'unexpected EOF');
    this.#variables.length = scope;
    return { kind, pipe, body, otherwise, at };
  }

  #pipe(context: string, until: 'close' | 'rightParen'): Pipe {
    this.#skipSpace();
    const at = this.#peek().at;
    const pipe: Pipe = { targets: [], declares: false, commands: [], at };
    this.#targets(pipe, context);
    for (;;) {
      this.#skipSpace();
      const token = this.#peek();
      if (token.kind === until) {
        this.#next++;
        if (pipe.commands.length === 0) throw this.#error(token.at, `missing value for ${context}`);
        this.#checkPipe(pipe);
        if (pipe.declares) this.#variables.push(...pipe.targets);
        return pipe;
      }
      if (token.kind === 'pipe') {
        if (pipe.commands.length === 0) throw this.#error(token.at, 'missing value for command');
        this.#next++;
        this.#skipSpace();
        const after = this.#peek().kind;
        if (after === until || after === 'pipe') throw this.#error(this.#peek().at, 'missing value for command');
      } else if (pipe.commands.length > 0) throw this.#error(token.at, `unexpected ${describe(token)} in operand`);
      pipe.commands.push(this.#command(context));
    }
  }

  /** `$x := …`, `$k, $v := …`, `$x = …`. */
  #targets(pipe: Pipe, context: string): void {
    const mark = this.#next;
    const names: string[] = [];
    for (;;) {
      const variable = this.#take();
      if (variable.kind !== 'variable') break;
      names.push(variable.text);
      this.#skipSpace();
      const token = this.#take();
      if (token.kind === 'declare' || token.kind === 'assign') {
        if (names.length > (context === 'range' ? 2 : 1)) throw this.#error(token.at, `too many declarations in ${context}`);
        pipe.targets = names;
        pipe.declares = token.kind === 'declare';
        if (!pipe.declares) for (const name of names) this.#checkVariable(name, token.at);
        return;
      }
      if (token.kind !== 'comma') break;
      this.#skipSpace();
    }
    this.#next = mark;
  }

  #checkVariable(name: string, at: number): void {
    if (!this.#variables.includes(name)) throw this.#error(at, `undefined variable "${name}"`);
  }

  #checkPipe(pipe: Pipe): void {
    for (const command of pipe.commands.slice(1)) {
      const first = command.operands[0];
      if (first !== undefined && (first.kind === 'literal' || first.kind === 'dot' || first.kind === 'nil')) {
        throw this.#error(command.at, 'non executable command in pipeline stage 2');
      }
    }
  }

  #command(context: string): Command {
    const at = this.#peek().at;
    const operands: Expression[] = [];
    for (;;) {
      this.#skipSpace();
      const token = this.#peek();
      if (token.kind === 'close' || token.kind === 'rightParen' || token.kind === 'pipe') break;
      operands.push(this.#deeper(() => this.#operand(context)));
      const after = this.#peek().kind;
      if (after !== 'space' && after !== 'close' && after !== 'rightParen' && after !== 'pipe') {
        throw this.#error(this.#peek().at, `unexpected ${describe(this.#peek())} in operand`);
      }
    }
    if (operands.length === 0) throw this.#error(at, 'empty command');
    return { operands, at };
  }

  #operand(context: string): Expression {
    const term = this.#term(context);
    let at = term.at;
    const names: string[] = [];
    while (this.#peek().kind === 'field') {
      const token = this.#take();
      if (token.kind !== 'field') break;
      // Go points to the second field of a chain.
      if (names.length === 0) at = token.at;
      names.push(token.text.slice(1));
    }
    if (names.length === 0) return term;
    const text = `${term.text}.${names.join('.')}`;
    if (term.kind === 'field' || term.kind === 'variable' || term.kind === 'pipe') return { ...term, names: [...term.names, ...names], at, text };
    throw this.#error(at, `unexpected . after term ${JSON.stringify(term.text)}`);
  }

  #term(context: string): Expression {
    const token = this.#take();
    const { at } = token;
    switch (token.kind) {
      case 'dot':
        return { kind: 'dot', at, text: '.' };
      case 'field':
        return { kind: 'field', names: [token.text.slice(1)], at, text: token.text };
      case 'variable':
        this.#checkVariable(token.text, at);
        return { kind: 'variable', name: token.text, names: [], at, text: token.text };
      case 'number':
        return { kind: 'literal', value: Number(token.text.replaceAll('_', '').replace(/^\+/, '')), at, text: token.text };
      case 'string':
      case 'char': {
        const value = unquote(token.text);
        if (value === undefined) throw this.#error(at, 'invalid syntax');
        return { kind: 'literal', value: token.kind === 'char' ? (value.codePointAt(0) ?? 0) : value, at, text: token.text };
      }
      case 'word':
        if (token.text === 'true' || token.text === 'false') return { kind: 'literal', value: token.text === 'true', at, text: token.text };
        if (token.text === 'nil') return { kind: 'nil', at, text: 'nil' };
        if (!this.knows(token.text)) throw this.#error(at, `function "${token.text}" not defined`);
        return { kind: 'call', name: token.text, at, text: token.text };
      case 'leftParen': {
        const pipe = this.#deeper(() => this.#pipe('parenthesized pipeline', 'rightParen'));
        return { kind: 'pipe', pipe, names: [], at, text: this.source.slice(at, this.#tokens[this.#next - 1]?.at ?? at) + ')' };
      }
      default:
        throw this.#error(at, `unexpected ${describe(token)} in ${context}`);
    }
  }
}

function describe(token: Token): string {
  if ('text' in token) return JSON.stringify(token.text);
  const words: Partial<Record<Token['kind'], string>> = {
    close: '"}}"', open: '"{{"', pipe: '"|"', leftParen: '"("', rightParen: '")"', assign: '"="', declare: '":="', comma: '","', dot: '<.>',
    end: 'EOF',
  };
  return words[token.kind] ?? token.kind;
}

const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', a: '\x07', b: '\b', f: '\f', v: '\v', '\\': '\\', '"': '"', "'": "'" };

/** Go's strconv.Unquote; undefined for a bad escape. */
function unquote(text: string): string | undefined {
  if (text.startsWith('`')) return text.slice(1, -1).replaceAll('\r', '');
  let bad = false;
  const value = text.slice(1, -1).replace(/\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.)/gs, (_all, code: string) => {
    const simple = escapes[code];
    if (simple !== undefined) return simple;
    const point = /^[xuU]/.test(code) ? Number.parseInt(code.slice(1), 16) : /^[0-7]{3}$/.test(code) ? Number.parseInt(code, 8) : -1;
    if (point >= 0 && point <= 0x10ffff) return String.fromCodePoint(point);
    bad = true;
    return '';
  });
  return bad ? undefined : value;
}

