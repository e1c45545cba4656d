import { afterEach, expect, test } from 'bun:test';
import { at, useDaemon, waitUntil } from './harness/index.ts';

const daemon = useDaemon();
afterEach(() => daemon.removeAll());

const past = ['events', '--since', '1h', '--until', '0s'];

/** A stream of JSON lines of the API, read until `enough`. */
async function readLines(path: string, enough: (lines: readonly unknown[]) => boolean): Promise<unknown[]> {
  const abort = new AbortController();
  const response = await fetch(`http://d${path}`, { unix: daemon.socket, signal: AbortSignal.any([abort.signal, AbortSignal.timeout(60_000)]) });
  expect(response.status).toBe(200);
  const lines: unknown[] = [];
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n')) {
      lines.push(JSON.parse(text.slice(0, at)));
      text = text.slice(at + 1);
    }
    if (enough(lines)) break;
  }
  abort.abort();
  return lines;
}

test('events: a container\'s whole life, in order, live and afterwards', async () => {
  const live = readLines('/events?filters={"container":["life","afterlife"]}', (lines) => lines.some((line) => at(line, 'Action') === 'destroy'));
  const id = await daemon.ok(['run', '-d', '--name', 'life', 'busybox', 'sleep', '1000']);
  await daemon.ok(['exec', 'life', 'true']);
  await daemon.ok(['pause', 'life']);
  await daemon.ok(['unpause', 'life']);
  await daemon.ok(['restart', '-t', '0', 'life']);
  await daemon.ok(['kill', 'life']);
  await daemon.ok(['rename', 'life', 'afterlife']);
  await daemon.ok(['rm', 'afterlife']);
  const wanted = ['create', 'start', 'exec_create: true', 'exec_start: true', 'exec_die', 'pause', 'unpause', 'kill', 'die', 'stop', 'start',
    'restart', 'kill', 'die', 'rename', 'destroy'];
  expect((await daemon.ok([...past, '-n', id, '--format', '{{.Action}}'])).split('\n')).toEqual(wanted);
  expect((await live).map((line) => at(line, 'Action'))).toEqual(wanted);
  const die = JSON.parse(await daemon.ok([...past, '-n', id, '-f', 'event=die', '--format', 'json']).then((text) => text.split('\n')[0] ?? ''));
  expect(die).toMatchObject({
    Type: 'container', Action: 'die', scope: 'local', Actor: { ID: id, Attributes: { exitCode: '137', image: 'busybox', name: 'life' } },
  });
});

test('events: filters, and limits in time', async () => {
  await daemon.ok(['run', '--name', 'one', '-l', 'k=v', 'busybox', 'true']);
  await daemon.ok(['run', '--name', 'two', 'busybox', 'true']);
  await daemon.ok(['tag', 'busybox', 'tagged:1']);
  await daemon.ok(['rmi', 'tagged:1']);
  const actions = async (...filters: string[]): Promise<string[]> => {
    const flags = filters.flatMap((filter) => ['-f', filter]);
    return (await daemon.ok([...past, ...flags, '--format', '{{.Type}}:{{.Action}}'])).split('\n');
  };
  expect(await actions('container=one', 'event=start', 'event=die')).toEqual(['container:start', 'container:die']);
  expect(await actions('label=k=v', 'event=create')).toEqual(['container:create']);
  expect(await actions('type=image', 'event=tag', 'event=untag')).toEqual(['image:tag', 'image:untag']);
  expect(await actions('image=busybox', 'container=two', 'event=create')).toEqual(['container:create']);
  expect(await daemon.ok(['events', '--since', '2h', '--until', '1h'])).toBe('');
  for (const wrong of [['--since', 'never'], ['--until', 'x'], ['-f', 'nosuch=1'], ['-f', 'noequals']]) {
    const result = await daemon.isula(['events', '--until', '0s', ...wrong]);
    expect([wrong, result.code === 0]).toEqual([wrong, false]);
  }
  expect((await daemon.http('GET', '/events?until=1&since=x')).status).toBe(400);
});

test('events: a follower sees what happens after it came', async () => {
  using follower = daemon.background(['events', '--format', '{{.Action}} {{.Actor.Attributes.name}}']);
  // Until it is there, it sees none of these.
  let count = 0;
  await waitUntil('the follower', async () => {
    await daemon.ok(['create', '--name', `probe${count++}`, 'busybox', 'true']);
    return follower.stdout.includes('create probe');
  });
  await daemon.ok(['run', '--rm', '--name', 'seen', 'busybox', 'true']);
  await follower.waitFor('destroy seen\n');
  const seen = follower.stdout.split('\n').filter((line) => line.endsWith(' seen'));
  expect(seen).toEqual(['create seen', 'attach seen', 'start seen', 'die seen', 'destroy seen']);
});

test('stats: the figures of the cgroup, for those that run, for all, and as a stream', async () => {
  const script = 'head -c 20000000 /dev/zero > /dev/shm/f; echo ready; while :; do :; done';
  await daemon.ok(['run', '-d', '--name', 'busy', '-m', '64m', '--pids-limit', '20', 'busybox', 'sh', '-c', script]);
  await daemon.ok(['create', '--name', 'idle', 'busybox', 'true']);
  await waitUntil('its memory', async () => (await daemon.isula(['logs', 'busy'])).stdout.includes('ready'));
  const format = '{{.Name}}|{{.CPUPerc}}|{{.MemUsage}}|{{.MemPerc}}|{{.PIDs}}';
  const [name = '', cpu = '', memory = '', percent = '', pids = ''] = (await daemon.ok(['stats', '--no-stream', '--format', format])).split('|');
  expect(name).toBe('busy');
  expect(Number(cpu.replace('%', ''))).toBeGreaterThan(1);
  expect(memory).toMatch(/^[\d.]+MiB \/ 64MiB$/);
  expect(Number.parseFloat(memory)).toBeGreaterThan(19);
  expect(Number(percent.replace('%', ''))).toBeGreaterThan(29);
  expect(Number(pids)).toBeGreaterThan(0);
  expect((await daemon.ok(['stats', '--no-stream', '--format', '{{.Name}}', '-a'])).split('\n').toSorted()).toEqual(['busy', 'idle']);
  const lines = await readLines('/containers/busy/stats', (all) => all.length >= 2);
  expect(lines[1]).toMatchObject({ name: '/busy', memory_stats: { limit: 67_108_864 }, pids_stats: { limit: 20 } });
  const total = (line: unknown) => Number(at(line, 'cpu_stats', 'cpu_usage', 'total_usage'));
  expect(total(lines[1])).toBeGreaterThan(total(lines[0]));
  expect(at(lines[1], 'precpu_stats', 'cpu_usage', 'total_usage')).toBe(total(lines[0]));
  const once = await daemon.http('GET', '/containers/busy/stats?stream=0&one-shot=1');
  expect(once.text.trim().split('\n')).toHaveLength(1);
  using stream = daemon.background(['stats', '--format', '{{.Name}} {{.PIDs}}', 'busy']);
  await stream.waitFor('busy');
  stream.kill('SIGINT');
  await stream.end();
  const unknown = await daemon.isula(['stats', '--no-stream', 'nosuch']);
  expect([unknown.code, unknown.stderr]).toEqual([1, expect.stringContaining('No such container: nosuch')]);
});

test('top: the processes as the host sees them, in the columns that ps is asked for', async () => {
  await daemon.ok(['run', '-d', '--name', 'procs', '-u', '1000', 'busybox', 'sh', '-c', 'sleep 1001 & exec sleep 1002']);
  await waitUntil('both processes', async () => (await daemon.ok(['top', 'procs'])).includes('1001'));
  const [header = '', ...rows] = (await daemon.ok(['top', 'procs'])).split('\n');
  expect(header.split(/ +/)).toEqual(['UID', 'PID', 'PPID', 'C', 'STIME', 'TTY', 'TIME', 'CMD']);
  expect(rows.map((row) => row.replace(/.* (sleep \d+)$/, '$1')).toSorted()).toEqual(['sleep 1001', 'sleep 1002']);
  const pid = await daemon.ok(['inspect', '-f', '{{.State.Pid}}', 'procs']);
  const own = (await daemon.ok(['top', 'procs', '-o', 'pid,args'])).split('\n').map((line) => line.trim().split(/ +/));
  expect(own[0]).toEqual(['PID', 'COMMAND']);
  expect(own).toContainEqual([pid, 'sleep', '1002']);
  expect((await daemon.ok(['top', 'procs', 'aux'])).split('\n')[0]).toMatch(/^USER +PID +%CPU/);
  const listed = (await daemon.http('GET', '/containers/procs/top?ps_args=-ef')).json();
  expect(listed).toMatchObject({ Titles: expect.arrayContaining(['PID']), Processes: [{}, {}] });
  // Without a column of pids the rows could not be told apart.
  for (const wrong of ['-o comm', '--no-such-option', '-o pid,nosuch', '; id']) {
    const answer = await daemon.http('GET', `/containers/procs/top?ps_args=${encodeURIComponent(wrong)}`);
    expect([wrong, answer.status >= 400]).toEqual([wrong, true]);
  }
  await daemon.ok(['stop', '-t', '0', 'procs']);
  expect((await daemon.isula(['top', 'procs'])).stderr).toContain('is not running');
});
