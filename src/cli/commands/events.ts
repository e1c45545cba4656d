import { at, jsonLines, numberAt, objectOf, textAt } from '../../client/index.ts';
import { type Command, filterQuery } from '../command.ts';
import { rfc3339Nano } from '../format/units.ts';
import { print } from '../terminal/output.ts';
import { momentQuery } from './logs.ts';

/** `isula events` (guide 1.3.1.20, docker's 4.5.4.1). */
export const events: Command = {
  spec: {
    name: 'events', usage: '[OPTIONS]', summary: 'Get real time events from the server', args: { min: 0, max: 0 },
    flags: [
      { name: 'filter', short: 'f', type: 'list', metavar: 'filter', help: 'Filter output based on conditions provided' },
      { name: 'format', type: 'string', help: "Format output: 'json' or a Go template" },
      { name: 'name', short: 'n', type: 'list', metavar: 'container', help: 'Show the events of this container only' },
      { name: 'since', short: 'S', type: 'string', help: 'Show all events created since timestamp' },
      { name: 'until', type: 'string', help: 'Stream events until this timestamp' },
    ],
  },
  async run({ client, flags }) {
    const format = flags.text('format');
    const render = await renderer(format);
    const filters = filterQuery(flags.list('filter'), flags.list('name').map((name) => ['container', name]));
    const { body } = await client.open(
      'GET', '/events', { query: { since: momentQuery(flags.text('since')), until: momentQuery(flags.text('until')), filters } },
    );
    for await (const event of jsonLines(body)) print(`${render(event)}\n`);
    return 0;
  },
};

async function renderer(format: string): Promise<(event: unknown) => string> {
  if (format === '') return eventLine;
  if (format === 'json') return (event) => JSON.stringify(event);
  const { compileTemplate } = await import('../template/index.ts');
  const template = compileTemplate(format, { escapes: true, missing: (name) => `can't evaluate field ${name} in type *events.Message` });
  return (event) => template.run(withGoNames(event));
}

/** Docker's formats name the fields of its Go type: `.Time`, `.TimeNano`, `.Scope`, `.Status`, `.From`. */
function withGoNames(event: unknown): unknown {
  const fields = objectOf(event);
  return {
    ...fields, Time: fields['time'], TimeNano: fields['timeNano'], Scope: fields['scope'] ?? 'local', Status: fields['status'] ?? fields['Action'],
    ID: fields['id'] ?? textAt(event, 'Actor', 'ID'), From: fields['from'] ?? '',
  };
}

/** `2019-08-28T16:23:09.338838795+08:00 container create ID (image=…, name=…)`. */
function eventLine(event: unknown): string {
  const seconds = numberAt(event, 'time');
  // timeNano does not fit a double: its last digits are lost, the order of events is not.
  const nanoseconds = Math.max(0, Math.min(999_999_999, Math.round(numberAt(event, 'timeNano') - seconds * 1e9)));
  const attributes = Object.entries(objectOf(at(event, 'Actor', 'Attributes'))).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const shown = attributes.length === 0 ? '' : ` (${attributes.map(([key, value]) => `${key}=${String(value)}`).join(', ')})`;
  return `${rfc3339Nano(seconds, nanoseconds)} ${textAt(event, 'Type')} ${textAt(event, 'Action')} ${textAt(event, 'Actor', 'ID')}${shown}`;
}
