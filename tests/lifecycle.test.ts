import { afterEach, expect, test } from 'bun:test';
import { at, useDaemon, waitUntil } from './harness/index.ts';

const daemon = useDaemon();
afterEach(() => daemon.removeAll());

/** Creates and starts a container by the options, `IMAGE COMMAND…` among them; gives its id. */
function run(...words: string[]): Promise<string> {
  return daemon.ok(['run', '-d', ...words]);
}

async function state(name: string): Promise<unknown> {
  return at((await daemon.http('GET', `/containers/${name}/json`)).json(), 'State');
}

async function isIn(name: string, status: string): Promise<void> {
  await waitUntil(`${name} to be ${status}`, async () => at(await state(name), 'Status') === status);
}

/** Waits until the container's shell has said `ready`: its traps are set. */
async function isReady(name: string): Promise<void> {
  await waitUntil(`${name} to be ready`, async () => (await daemon.ok(['logs', name])).includes('ready'));
}

const untilSignalled = (trap: string) => ['sh', '-c', `trap '${trap}' TERM INT USR1; echo ready; while :; do sleep 0.05; done`];

test('every reference docker takes: name, /name, full id, unique prefix; the name goes before the prefix', async () => {
  const id = await run('--name', 'first', 'busybox', 'sleep', '1000');
  for (const reference of ['first', id, id.slice(0, 12), id.slice(0, 5)]) {
    expect(await daemon.ok(['inspect', '-f', '{{.Id}}', reference])).toBe(id);
  }
  // A container that is called like the beginning of another's id.
  const shadow = await daemon.ok(['create', '--name', id.slice(0, 6), 'busybox', 'true']);
  expect(await daemon.ok(['inspect', '-f', '{{.Id}}', id.slice(0, 6)])).toBe(shadow);
  // So many that two of them begin with the same digit.
  const ids = await Promise.all(Array.from({ length: 16 }, () => daemon.ok(['create', 'busybox', 'true'])));
  const digits = [...ids, shadow].map((one) => one.slice(0, 1));
  const twice = digits.find((digit, index) => digits.indexOf(digit) !== index) ?? '';
  const ambiguous = await daemon.isula(['inspect', twice]);
  expect([ambiguous.code, ambiguous.stderr]).toEqual([1, expect.stringContaining('Multiple IDs found with provided prefix')]);
  expect((await daemon.http('POST', `/containers/${twice}/start`)).status).toBe(400);
});

test('create, start, stop, start again: what inspect says at each step', async () => {
  const id = await daemon.ok(['create', '--name', 'steps', 'busybox', ...untilSignalled('exit 7')]);
  expect(await state('steps')).toMatchObject({ Status: 'created', Running: false, Pid: 0, ExitCode: 0, StartedAt: '0001-01-01T00:00:00Z' });
  await daemon.ok(['start', id]);
  await isReady('steps');
  const running = await state('steps');
  expect(running).toMatchObject({ Status: 'running', Running: true, ExitCode: 0, FinishedAt: '0001-01-01T00:00:00Z' });
  expect(Number(at(running, 'Pid'))).toBeGreaterThan(1);
  expect(await daemon.ok(['stop', 'steps'])).toBe('steps');
  const stopped = await state('steps');
  expect(stopped).toMatchObject({ Status: 'exited', Running: false, Pid: 0, ExitCode: 7, OOMKilled: false });
  expect(Date.parse(String(at(stopped, 'FinishedAt')))).toBeGreaterThanOrEqual(Date.parse(String(at(stopped, 'StartedAt'))));
  // Once more is no error, as in docker.
  expect(await daemon.ok(['stop', 'steps'])).toBe('steps');
  expect((await daemon.http('POST', '/containers/steps/stop')).status).toBe(304);
  await daemon.ok(['start', 'steps']);
  await daemon.ok(['start', 'steps']);
  expect((await daemon.http('POST', '/containers/steps/start')).status).toBe(304);
  const wait = daemon.background(['wait', 'steps', id]);
  await daemon.ok(['kill', 'steps']);
  expect([await wait.end(), wait.stdout]).toEqual([0, '137\n137\n']);
  await daemon.ok(['rm', 'steps']);
});

test('stop: -t 0 and -f kill at once, a deaf process is killed when the time is over, -t -1 waits for ever', async () => {
  await run('--name', 'deaf', 'busybox', ...untilSignalled(':'));
  for (const flags of [['-t', '0'], ['-f'], ['-t', '1']]) {
    await isReady('deaf');
    expect(await daemon.ok(['stop', ...flags, 'deaf'])).toBe('deaf');
    expect(await state('deaf')).toMatchObject({ Status: 'exited', ExitCode: 137 });
    await daemon.ok(['rm', 'deaf']);
    await run('--name', 'deaf', 'busybox', ...untilSignalled(':'));
  }
  await isReady('deaf');
  const stop = daemon.background(['stop', '-t', '-1', 'deaf']);
  const signalled = ['events', '-n', 'deaf', '--since', '10m', '--until', '0s', '--format', '{{.Action}}'];
  await waitUntil('the signal', async () => (await daemon.ok(signalled)).split('\n').includes('kill'));
  // What waits does not keep others out.
  expect(await daemon.ok(['ps', '--format', '{{.Names}}'])).toBe('deaf');
  expect(await daemon.ok(['kill', 'deaf'])).toBe('deaf');
  expect([await stop.end(), stop.stdout]).toEqual([0, 'deaf\n']);
  await daemon.ok(['rm', 'deaf']);
});

test('kill: names and numbers of signals, --stop-signal, several at once', async () => {
  await run('--name', 'sig1', 'busybox', ...untilSignalled('echo got'));
  await run('--name', 'sig2', '--stop-signal', 'USR1', 'busybox', 'sh', '-c', 'trap "exit 33" USR1; echo ready; while :; do sleep 0.05; done');
  await Promise.all([isReady('sig1'), isReady('sig2')]);
  for (const [count, signal] of ['TERM', 'SIGINT', 'usr1', '10'].entries()) {
    await daemon.ok(['kill', '-s', signal, 'sig1']);
    await waitUntil(`signal ${signal}`, async () => (await daemon.ok(['logs', 'sig1'])).split('got').length === count + 2);
  }
  for (const signal of ['FOO', '0', '65', '-1', '']) {
    const refused = await daemon.http('POST', `/containers/sig1/kill?signal=${signal}`);
    expect([signal, refused.status]).toEqual([signal, signal === '' ? 204 : 400]);
  }
  expect(await daemon.ok(['stop', 'sig2'])).toBe('sig2');
  expect(await state('sig2')).toMatchObject({ ExitCode: 33 });
  const again = await daemon.isula(['kill', 'sig1', 'sig2', 'nosuch']);
  expect(again.code).toBe(1);
  expect(again.stderr).toContain('is not running');
  expect(again.stderr).toContain('No such container: nosuch');
  await daemon.ok(['rm', 'sig1', 'sig2']);
});

test('restart gives a new process, --rm outlives it, and several are done in one call', async () => {
  await run('--name', 'again1', '--rm', 'busybox', 'sleep', '1000');
  await run('--name', 'again2', 'busybox', 'sleep', '1000');
  const before = await Promise.all(['again1', 'again2'].map(state));
  expect(await daemon.ok(['restart', '-t', '0', 'again1', 'again2'])).toBe('again1\nagain2');
  const after = await Promise.all(['again1', 'again2'].map(state));
  for (const [index, one] of after.entries()) {
    expect(at(one, 'Status')).toBe('running');
    expect(at(one, 'Pid')).not.toBe(at(before[index], 'Pid'));
  }
  await daemon.ok(['stop', '-t', '0', 'again1', 'again2']);
  await waitUntil('the end of the --rm container', async () => (await daemon.ok(['ps', '-a', '--format', '{{.Names}}'])) === 'again2');
  await daemon.ok(['restart', 'again2']);
  expect(await state('again2')).toMatchObject({ Status: 'running' });
  await daemon.ok(['rm', '-f', 'again2']);
});

test('a paused container: nothing but unpause, inspect and a forced rm (guide 1.3.1.18)', async () => {
  const id = await run('--name', 'ice', 'busybox', 'sleep', '1000');
  expect(await daemon.ok(['pause', 'ice'])).toBe('ice');
  expect(await state('ice')).toMatchObject({ Status: 'paused', Running: true, Paused: true });
  expect(await daemon.ok(['ps', '--format', '{{.Status}}'])).toContain('aused');
  const refused: [string, string, string?][] = [
    ['POST', 'stop'], ['POST', 'kill'], ['POST', 'restart'], ['POST', 'pause'], ['POST', 'start'], ['POST', 'exec', '{"Cmd":["true"]}'],
    ['POST', 'attach?stream=1&stdout=1'], ['DELETE', ''],
  ];
  for (const [method, verb, body] of refused) {
    const answer = await daemon.http(method, `/containers/ice/${verb}`.replace(/\/$/, ''), { body: body ?? '', contentType: 'application/json' });
    expect([verb, answer.status, answer.text]).toEqual([verb, 409, expect.stringContaining('paused')]);
  }
  for (const verb of ['stop', 'kill', 'restart', 'pause', 'rm', 'attach']) {
    const result = await daemon.isula([verb, 'ice']);
    expect([verb, result.code, result.stderr]).toEqual([verb, 1, expect.stringContaining('paused')]);
  }
  expect((await daemon.isula(['exec', 'ice', 'true'])).stderr).toContain('paused');
  expect(await daemon.ok(['unpause', 'ice'])).toBe('ice');
  expect((await daemon.isula(['unpause', 'ice'])).stderr).toContain(`Container ${id} is not paused`);
  expect(await daemon.ok(['exec', 'ice', 'echo', 'alive'])).toBe('alive');
  await daemon.ok(['pause', 'ice']);
  expect(await daemon.ok(['rm', '-f', 'ice'])).toBe('ice');
});

test('rm: of running ones only with -f; all traces go', async () => {
  const id = await run('busybox', 'sleep', '1000');
  const refused = await daemon.isula(['rm', id]);
  expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('You cannot remove a running container')]);
  expect(await state(id)).toMatchObject({ Status: 'running' });
  const removed = daemon.background(['events', '--since', '1h', '-n', id, '--format', '{{.Action}}']);
  await removed.waitFor('start');
  expect(await daemon.ok(['rm', '-f', id])).toBe(id);
  await removed.waitFor('destroy');
  removed.kill('SIGTERM');
  expect((await daemon.http('GET', `/containers/${id}/json`)).status).toBe(404);
  expect(await daemon.ok(['ps', '-aq'])).toBe('');
});

test('rename: the new name holds at once, the old one is free, a used one is refused', async () => {
  await run('--name', 'old', 'busybox', 'sleep', '1000');
  await daemon.ok(['create', '--name', 'other', 'busybox', 'true']);
  const taken = await daemon.isula(['rename', 'old', 'other']);
  expect([taken.code, taken.stderr]).toEqual([1, expect.stringContaining('is already in use by container')]);
  expect((await daemon.http('POST', '/containers/old/rename?name=other')).status).toBe(409);
  expect((await daemon.http('POST', '/containers/old/rename?name=b%20d')).status).toBe(400);
  await daemon.ok(['rename', 'old', 'new']);
  expect(await daemon.ok(['exec', 'new', 'echo', 'there'])).toBe('there');
  expect((await daemon.isula(['exec', 'old', 'true'])).stderr).toContain('No such container: old');
  await daemon.ok(['create', '--name', 'old', 'busybox', 'true']);
});

test('restart policies: on-failure stops at its limit, always goes on, a stop by hand ends it', async () => {
  await run('--name', 'limited', '--restart', 'on-failure:2', 'busybox', 'sh', '-c', 'exit 3');
  await run('--name', 'content', '--restart', 'on-failure', 'busybox', 'true');
  await run('--name', 'never', 'busybox', 'sh', '-c', 'exit 3');
  await run('--name', 'always', '--restart', 'always', 'busybox', 'sh', '-c', 'exit 0');
  await isIn('limited', 'exited');
  expect(at((await daemon.http('GET', '/containers/limited/json')).json(), 'RestartCount')).toBe(2);
  expect(await state('limited')).toMatchObject({ ExitCode: 3 });
  await Promise.all([isIn('content', 'exited'), isIn('never', 'exited')]);
  const count = async (name: string) => Number(await daemon.ok(['inspect', '-f', '{{.RestartCount}}', name]));
  await waitUntil('three restarts', async () => (await count('always')) >= 3);
  expect([await count('content'), await count('never')]).toEqual([0, 0]);
  expect(await daemon.ok(['stop', 'always'])).toBe('always');
  await isIn('always', 'exited');
  const stopped = await count('always');
  // A start by hand begins the count anew.
  await daemon.ok(['update', '--restart', 'no', 'always']);
  await daemon.ok(['start', 'always']);
  await isIn('always', 'exited');
  expect(stopped).toBeGreaterThanOrEqual(3);
  expect(await count('always')).toBe(0);
  for (const wrong of ['on-failure:x', 'sometimes', 'always:3', 'on-failure:-1']) {
    expect((await daemon.isula(['create', '--restart', wrong, 'busybox', 'true'])).code).toBe(125);
  }
  expect((await daemon.isula(['run', '--rm', '--restart', 'always', 'busybox', 'true'])).code).toBe(125);
});
