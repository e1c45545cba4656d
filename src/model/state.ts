/** A container's state: a discriminated union by `status`. Times are milliseconds since the epoch, with fractions. */
export type ContainerState =
  | { readonly status: 'created'; readonly exitCode?: number; /** Why the last start failed. */ readonly error?: string }
  | { readonly status: 'running'; readonly pid: number; readonly startedAt: number }
  | { readonly status: 'paused'; readonly pid: number; readonly startedAt: number }
  | ({ readonly status: 'restarting' } & ExitFacts)
  | ({ readonly status: 'exited' } & ExitFacts)
  | ({ readonly status: 'removing' } & Partial<ExitFacts>)
  | ({ readonly status: 'dead' } & Partial<ExitFacts>);

export interface ExitFacts {
  readonly exitCode: number;
  readonly oomKilled: boolean;
  /** Why a start failed, else empty. */
  readonly error: string;
  /** 0: it never ran. */
  readonly startedAt: number;
  readonly finishedAt: number;
}

export type HealthStatus = 'none' | 'starting' | 'healthy' | 'unhealthy';

export interface HealthProbeResult {
  /** RFC 3339 with nanoseconds. */
  Start: string;
  End: string;
  ExitCode: number;
  Output: string;
}

export interface HealthState {
  Status: HealthStatus;
  FailingStreak: number;
  Log: HealthProbeResult[];
}
