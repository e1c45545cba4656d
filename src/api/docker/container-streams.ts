import type { WaitCondition } from '../../engine/index.ts';
import { messageOf } from '../../base/index.ts';
import type { Call } from './call.ts';
import { id } from './containers.ts';
import { badRequest } from './errors.ts';
import { route } from './router.ts';
import { BodySink, sendJsonLines } from './streams.ts';

const waitConditions: readonly string[] = ['not-running', 'next-exit', 'removed'] satisfies WaitCondition[];

function isWaitCondition(text: string): text is WaitCondition {
  return waitConditions.includes(text);
}

/** Followed logs of a silent container: when the client is told that its request was accepted. */
const silentMs = 50;

/** The head goes out once the wait is registered: a client starts the container after it has seen it. */
async function wait(call: Call): Promise<void> {
  const condition = call.query.string('condition') || 'not-running';
  if (!isWaitCondition(condition)) throw badRequest(`invalid condition: "${condition.slice(0, 80)}"`);
  const { result } = call.engine.containers.wait(id(call), condition, call.signal);
  call.begin('application/json');
  try {
    const { StatusCode, Error: error } = await result;
    call.response.end(`${JSON.stringify({ StatusCode, Error: error ?? null })}\n`);
  } catch (error) {
    if (call.signal.aborted) return;
    call.response.end(`${JSON.stringify({ StatusCode: -1, Error: { Message: messageOf(error) } })}\n`);
  }
}

async function logs(call: Call): Promise<void> {
  const { query } = call;
  const options = {
    follow: query.boolean('follow'), stdout: query.boolean('stdout'), stderr: query.boolean('stderr'), since: query.timestamp('since'),
    until: query.timestamp('until'), timestamps: query.boolean('timestamps'), tail: tailOf(query.string('tail')), details: query.boolean('details'),
  };
  if (!options.stdout && !options.stderr) throw badRequest('Bad parameters: you must choose at least one stream');
  const { containers } = call.engine;
  const isTerminal = containers.hasTty(id(call));
  const multiplexed = !isTerminal && call.version.atLeast('1.42');
  const sink = new BodySink(call, !isTerminal, `application/vnd.docker.${multiplexed ? 'multiplexed' : 'raw'}-stream`);
  const timer = options.follow ? setTimeout(() => sink.begin(), silentMs) : undefined;
  try {
    await containers.logs(id(call), options, sink, call.signal);
    sink.end();
  } catch (error) {
    if (!call.response.headersSent) throw error;
    sink.fail(error instanceof Error ? error : new Error(String(error)));
  } finally {
    clearTimeout(timer);
  }
}

/** Docker: what is not a number of lines is all of them. */
function tailOf(text: string): number | undefined {
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

async function stats(call: Call): Promise<void> {
  const stream = call.query.boolean('stream', true);
  const oneShot = call.query.boolean('one-shot');
  if (stream && oneShot) throw badRequest('cannot have stream=true and one-shot=true');
  const samples = call.engine.containers.stats(id(call), { stream, oneShot }, call.signal);
  if (stream) return sendJsonLines(call, samples);
  for await (const sample of samples) {
    call.send(200, sample);
    return;
  }
  throw badRequest('no statistics');
}

async function attach(call: Call): Promise<void> {
  const { query, engine } = call;
  const options = {
    stdin: query.boolean('stdin'), stdout: query.boolean('stdout'), stderr: query.boolean('stderr'), logs: query.boolean('logs'),
    stream: query.boolean('stream'), detachKeys: query.string('detachKeys'),
  };
  const isTerminal = engine.containers.hasTty(id(call));
  // Its body is empty; what the parser has read behind the head is input already.
  await call.json();
  await call.hijack({ terminal: isTerminal, stdin: options.stdin }, (sink, signal) => engine.containers.attach(id(call), options, sink, signal));
}

export const containerStreamRoutes = [
  route('POST', '/containers/{id}/wait', wait),
  route('GET', '/containers/{id}/logs', logs),
  route('GET', '/containers/{id}/stats', stats),
  route('POST', '/containers/{id}/attach', attach),
];
