import { isObject } from '../../client/index.ts';
import { arity, type TemplateFunction } from './functions.ts';
import { lineOf, TemplateError } from './lex.ts';
import type { Command, Expression, Node, Pipe } from './parse.ts';
import { isMethod, show, sortedKeys, truth, typeName } from './value.ts';

/** A template does so much work at most: nested loops over a big answer must not run for ever. */
const stepsMax = 20_000_000;
const outputLimitChars = 256 * 1024 * 1024;
const contextMax = 20;

type Block = Extract<Node, { kind: 'if' | 'with' | 'range' }>;

class Break extends Error {}
class Continue extends Error {}

export interface RunOptions {
  source: string;
  functions: Readonly<Record<string, TemplateFunction>>;
  /** What a field that is not there means: docker's inspect and formatter contexts refuse it. */
  missing: (name: string) => string;
}

/** Runs a parsed template over data. @throws TemplateError in Go's words. */
export function runTemplate(nodes: readonly Node[], data: unknown, options: RunOptions): string {
  return new Runner(options, data).run(nodes);
}

class Runner {
  #out = '';
  #steps = 0;
  #variables: { name: string; value: unknown }[];

  constructor(readonly options: RunOptions, readonly data: unknown) {
    this.#variables = [{ name: '$', value: data }];
  }

  run(nodes: readonly Node[]): string {
    this.#list(nodes, this.data);
    return this.#out;
  }

  #fail(at: number, context: string, message: string): TemplateError {
    const lineStart = this.options.source.lastIndexOf('\n', at - 1) + 1;
    const shown = context.length > contextMax ? `${context.slice(0, contextMax)}...` : context;
    return new TemplateError(`template: :${lineOf(this.options.source, at)}:${at - lineStart}: executing "" at <${shown}>: ${message}`);
  }

  #step(): void {
    if (++this.#steps > stepsMax || this.#out.length > outputLimitChars) {
      throw new TemplateError('template: :1: executing "": the template does not end');
    }
  }

  #list(nodes: readonly Node[], dot: unknown): void {
    for (const node of nodes) {
      this.#step();
      if (node.kind === 'text') this.#out += node.text;
      else if (node.kind === 'action') {
        const value = this.#pipe(node.pipe, dot);
        if (node.pipe.targets.length === 0) this.#out += show(value);
      } else if (node.kind === 'break') throw new Break();
      else if (node.kind === 'continue') throw new Continue();
      else if (node.kind === 'range') this.#scoped(() => this.#range(node, dot));
      else this.#scoped(() => this.#branch(node, dot));
    }
  }

  #scoped(work: () => void): void {
    const mark = this.#variables.length;
    try {
      work();
    } finally {
      this.#variables.length = mark;
    }
  }

  #branch(node: Block, dot: unknown): void {
    const value = this.#pipe(node.pipe, dot);
    if (truth(value)) this.#list(node.body, node.kind === 'with' ? value : dot);
    else this.#list(node.otherwise, dot);
  }

  #range(node: Block, dot: unknown): void {
    const value = this.#pipe({ ...node.pipe, targets: [] }, dot);
    let count = 0;
    const once = (key: unknown, item: unknown): void => {
      count++;
      this.#scoped(() => {
        const [first, second] = node.pipe.targets;
        if (first !== undefined) this.#assign(node.pipe, first, second === undefined ? item : key);
        if (second !== undefined) this.#assign(node.pipe, second, item);
        this.#list(node.body, item);
      });
    };
    const all = (): void => {
      if (Array.isArray(value)) value.forEach((item, key) => this.#again(() => once(key, item)));
      else if (isObject(value)) for (const key of sortedKeys(value)) this.#again(() => once(key, value[key]));
      else if (typeof value === 'number' && Number.isInteger(value)) for (let key = 0; key < value; key++) this.#again(() => once(key, key));
      else if (value !== undefined && value !== null) {
        throw this.#fail(node.pipe.at, this.#text(node.pipe), `range can't iterate over ${show(value)}`);
      }
    };
    try {
      all();
    } catch (error) {
      if (!(error instanceof Break)) throw error;
    }
    if (count === 0) this.#list(node.otherwise, dot);
  }

  #again(once: () => void): void {
    this.#step();
    try {
      once();
    } catch (error) {
      if (!(error instanceof Continue)) throw error;
    }
  }

  #text(pipe: Pipe): string {
    return pipe.commands.map((command) => command.operands.map((operand) => operand.text).join(' ')).join(' | ');
  }

  #assign(pipe: Pipe, name: string, value: unknown): void {
    const found = pipe.declares ? undefined : this.#variables.findLast((variable) => variable.name === name);
    if (found === undefined) this.#variables.push({ name, value });
    else found.value = value;
  }

  #pipe(pipe: Pipe, dot: unknown): unknown {
    let value: unknown;
    pipe.commands.forEach((command, index) => {
      value = this.#command(command, dot, index === 0 ? [] : [value]);
    });
    for (const name of pipe.targets) this.#assign(pipe, name, value);
    return value;
  }

  /** `last`: what the pipe's earlier stage gave; it becomes the last argument. */
  #command(command: Command, dot: unknown, last: readonly unknown[]): unknown {
    this.#step();
    const [first, ...rest] = command.operands;
    if (first === undefined) return undefined;
    if (first.kind === 'call') return this.#call(first, rest, dot, last);
    const takes = first.kind === 'field' || first.kind === 'variable' || first.kind === 'pipe';
    if (takes) return this.#operand(first, dot, [...rest.map((operand) => this.#operand(operand, dot)), ...last]);
    if (rest.length > 0 || last.length > 0) throw this.#fail(first.at, first.text, `can't give argument to non-function ${first.text}`);
    if (first.kind === 'nil') throw this.#fail(first.at, 'nil', 'nil is not a command');
    return this.#operand(first, dot);
  }

  #call(call: Extract<Expression, { kind: 'call' }>, rest: readonly Expression[], dot: unknown, last: readonly unknown[]): unknown {
    const { name } = call;
    const work = this.options.functions[name];
    const limits = arity[name];
    if (work === undefined || limits === undefined) throw this.#fail(call.at, name, `"${name}" is not a defined function`);
    const count = rest.length + last.length;
    if (count < limits[0] || count > limits[1]) {
      const want = limits[0] === limits[1] ? String(limits[0]) : count < limits[0] ? `at least ${limits[0]}` : `at most ${limits[1]}`;
      throw this.#fail(call.at, name, `wrong number of args for ${name}: want ${want} got ${count}`);
    }
    if (name === 'and' || name === 'or') return this.#shortCircuit(name, rest, dot, last);
    const args = [...rest.map((operand) => this.#operand(operand, dot)), ...last];
    try {
      return work(...args);
    } catch (error) {
      if (error instanceof TemplateError) throw error;
      throw this.#fail(
        call.at, [name, ...rest.map((operand) => operand.text)].join(' '),
        `error calling ${name}: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }

  #shortCircuit(name: 'and' | 'or', rest: readonly Expression[], dot: unknown, last: readonly unknown[]): unknown {
    let value: unknown;
    for (const operand of rest) {
      value = this.#operand(operand, dot);
      if (truth(value) === (name === 'or')) return value;
    }
    return last.length > 0 ? last[0] : value;
  }

  #operand(operand: Expression, dot: unknown, args: readonly unknown[] = []): unknown {
    switch (operand.kind) {
      case 'dot':
        return dot;
      case 'nil':
        return undefined;
      case 'literal':
        return operand.value;
      case 'field':
        return this.#fields(dot, operand.names, operand, args);
      case 'variable':
        return this.#fields(this.#variables.findLast((variable) => variable.name === operand.name)?.value, operand.names, operand, args);
      case 'pipe':
        return this.#fields(this.#pipe(operand.pipe, dot), operand.names, operand, args);
      case 'call':
        return this.#call(operand, [], dot, args);
    }
  }

  #fields(from: unknown, names: readonly string[], operand: Expression, args: readonly unknown[]): unknown {
    let here = from;
    names.forEach((name, position) => {
      const given = position === names.length - 1 ? args : [];
      if (here === undefined || here === null) throw this.#fail(operand.at, operand.text, `nil data; no entry for key "${name}"`);
      if (!isObject(here)) throw this.#fail(operand.at, operand.text, `can't evaluate field ${name} in type ${typeName(here)}`);
      if (!Object.hasOwn(here, name)) throw this.#fail(operand.at, operand.text, this.options.missing(name));
      const found = here[name];
      if (isMethod(found)) here = found(...given);
      else if (given.length > 0) throw this.#fail(operand.at, operand.text, `${name} has arguments but cannot be invoked as function`);
      else here = found;
    });
    if (names.length === 0 && args.length > 0) throw this.#fail(operand.at, operand.text, `can't give argument to non-function ${operand.text}`);
    return here;
  }
}
