import { expect, test } from 'bun:test';
import { runtimeFailure } from './failure.ts';

/** Texts as crun 1.8.1 and runc 1.1.5 write them. */
const cases: [text: string, args: string[], message: string, exitCode: number | undefined][] = [
  ['executable file `nosuch` not found in $PATH: No such file or directory', ['nosuch'], 'exec: "nosuch": executable file not found in $PATH', 127],
  ['executable file `/x/y` not found in $PATH: No such file or directory', ['/x/y'], 'exec: "/x/y": stat /x/y: no such file or directory', 127],
  ['time="x" level=error msg="runc create failed: unable to start container process: exec: \\"nosuch\\": executable file not found in $PATH\\n"',
    ['nosuch'], 'exec: "nosuch": executable file not found in $PATH', 127],
  ['open executable: Permission denied', ['/etc'], 'exec: "/etc": permission denied', 126],
  ['time="x" level=error msg="runc create failed: unable to start container process: exec: \\"/etc\\": permission denied"', ['/etc'],
    'exec: "/etc": permission denied', 126],
  ['chdir `/no`: No such file or directory', ['sh'], 'chdir to cwd ("/no") set in config.json failed: no such file or directory', 127],
  ['exec: Exec format error', ['x'], 'exec x: exec format error', 126],
  ['mount `proc` to `proc`: Operation not permitted', ['sh'], 'mount `proc` to `proc`: Operation not permitted', undefined],
  ['', ['sh'], 'the runtime gave no reason', undefined],
];
for (const [text, args, message, exitCode] of cases) {
  test(message, () => {
    const error = runtimeFailure(text, { action: 'create', args, cwd: '/no' });
    expect(error.message).toBe(`OCI runtime create failed: ${message}`);
    expect(error.exitCode).toBe(exitCode);
  });
}

test('a container that does not run is a conflict', () => {
  expect(runtimeFailure('the container `abc` is not running', { action: 'exec', args: ['sh'], cwd: '/' }).code).toBe('conflict');
});
