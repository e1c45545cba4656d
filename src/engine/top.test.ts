import { expect, test } from 'bun:test';
import { topOf, parsePs, type PsResult } from './top.ts';

const output = 'UID          PID    PPID  C STIME TTY          TIME CMD\nroot          10       1  0 10:00 ?        00:00:00 sh -c  sleep 9\n'
  + 'root          11      10  0 10:00 ?        00:00:00 other\n';

test('rows of the container only, the last column whole', () => {
  expect(parsePs(output, new Set([10]))).toEqual({
    Titles: ['UID', 'PID', 'PPID', 'C', 'STIME', 'TTY', 'TIME', 'CMD'],
    Processes: [['root', '10', '1', '0', '10:00', '?', '00:00:00', 'sh -c sleep 9']],
  });
  expect(parsePs('PID CMD\n10 a\n- thread\n11 b\n- thread\n', new Set([11])).Processes).toEqual([['11', 'b'], ['-', 'thread']]);
});

test("docker's errors", async () => {
  expect(() => parsePs('CMD\nsh\n', new Set([1]))).toThrow("Couldn't find PID field in ps output");
  expect(() => parsePs('PID CMD\nx sh\n', new Set([1]))).toThrow("Unexpected pid 'x'");
  const never = (): Promise<PsResult> => Promise.reject(new Error('ps was run'));
  expect(topOf([1], '-o cmd=PID', never)).rejects.toThrow('specifying "cmd=PID" is not allowed');
  expect(topOf([1], 'x'.repeat(2000), never)).rejects.toThrow('longer than');
  const failing = async (): Promise<PsResult> => ({ exitCode: 1, stdout: '', stderr: 'error: unknown\nusage' });
  expect(topOf([1], '-z', failing)).rejects.toThrow('error running ps: error: unknown');
});

test('without -q where ps refuses it', async () => {
  const calls: string[] = [];
  const result = await topOf([10], 'aux', async (args) => {
    calls.push(args.join(' '));
    return calls.length === 1 ? { exitCode: 1, stdout: '', stderr: 'no' } : { exitCode: 0, stdout: output, stderr: '' };
  });
  expect(calls).toEqual(['aux -q10', 'aux']);
  expect(result.Processes.length).toBe(1);
});

test('the real ps', async () => {
  const result = await topOf([process.pid], '');
  expect(result.Processes.map((row) => row[result.Titles.indexOf('PID')])).toEqual([String(process.pid)]);
  expect((await topOf([process.pid], '-o pid,comm')).Titles).toEqual(['PID', 'COMMAND']);
  expect(topOf([process.pid], '-o comm')).rejects.toThrow("Couldn't find PID field");
});
