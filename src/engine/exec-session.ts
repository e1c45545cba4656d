import type { ContainerId, ExecId } from '../base/index.ts';
import type { ExecHandle } from '../runtime/index.ts';
import type { ExecConfig, ExecInspect } from './types.ts';

/** One exec: made, started at most once, kept for a while after its end for those who ask for its exit code. */
export class ExecSession {
  state: 'created' | 'running' | 'ended' = 'created';
  exitCode: number | null = null;
  pid = 0;
  handle: ExecHandle | undefined;

  constructor(readonly id: ExecId, readonly containerId: ContainerId, readonly config: ExecConfig) {}

  inspect(): ExecInspect {
    const { config } = this;
    return {
      ID: this.id,
      Running: this.state === 'running',
      ExitCode: this.exitCode,
      ProcessConfig: {
        tty: config.Tty,
        entrypoint: config.Cmd[0] ?? '',
        arguments: config.Cmd.slice(1),
        privileged: config.Privileged,
        user: config.User,
      },
      OpenStdin: config.AttachStdin,
      OpenStderr: config.AttachStderr,
      OpenStdout: config.AttachStdout,
      CanRemove: false,
      ContainerID: this.containerId,
      DetachKeys: config.DetachKeys,
      Pid: this.pid,
    };
  }
}
