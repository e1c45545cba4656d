import type { ExecConfig } from '../../engine/index.ts';
import { JsonObject } from '../../model/index.ts';
import type { Call } from './call.ts';
import { id, windowSize } from './containers.ts';
import { badRequest } from './errors.ts';
import { route } from './router.ts';

async function create(call: Call): Promise<void> {
  const body = new JsonObject(await call.json(), '');
  const size = consoleSize(body);
  const config: ExecConfig = {
    AttachStdin: body.boolean('AttachStdin'), AttachStdout: body.boolean('AttachStdout'), AttachStderr: body.boolean('AttachStderr'),
    DetachKeys: body.string('DetachKeys'), Tty: body.boolean('Tty'), Env: body.strings('Env'), Cmd: body.stringOrStrings('Cmd') ?? [],
    Privileged: body.boolean('Privileged'), User: body.string('User'), WorkingDir: body.string('WorkingDir'),
    ...(size === undefined ? {} : { ConsoleSize: size }),
  };
  if (config.Cmd.length === 0) throw badRequest('No exec command specified');
  call.send(201, { Id: await call.engine.containers.execCreate(id(call), config) });
}

/** `ConsoleSize`: height and width in characters. @throws invalidArgument */
function consoleSize(body: JsonObject): [number, number] | undefined {
  const given = body.raw('ConsoleSize');
  if (given === undefined) return undefined;
  const items: unknown[] = Array.isArray(given) ? given : [];
  const [height, width] = items;
  const isSize = (value: unknown): value is number => typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 65_535;
  if (items.length !== 2 || !isSize(height) || !isSize(width)) throw badRequest('invalid JSON: ConsoleSize must be two numbers from 0 to 65535');
  return [height, width];
}

async function start(call: Call): Promise<void> {
  const { containers } = call.engine;
  const body = new JsonObject((await call.json()) ?? {}, '');
  // Throws for an unknown session before anything is sent.
  const { ProcessConfig, OpenStdin } = containers.execInspect(id(call));
  const size = consoleSize(body);
  const options = { tty: body.boolean('Tty'), ...(size === undefined ? {} : { consoleSize: size }) };
  if (body.boolean('Detach')) {
    await containers.execStart(id(call), { ...options, sink: undefined });
    call.empty(200);
    return;
  }
  const form = { terminal: ProcessConfig.tty, stdin: OpenStdin };
  await call.hijack(form, (sink, signal) => containers.execStart(id(call), { ...options, sink, signal }));
}

function inspect(call: Call): void {
  call.send(200, call.engine.containers.execInspect(id(call)));
}

async function resize(call: Call): Promise<void> {
  const { height, width } = windowSize(call);
  await call.engine.containers.execResize(id(call), height, width);
  call.empty(200);
}

export const execRoutes = [
  route('POST', '/containers/{id}/exec', create),
  route('POST', '/exec/{id}/start', start),
  route('POST', '/exec/{id}/resize', resize),
  route('GET', '/exec/{id}/json', inspect),
];
