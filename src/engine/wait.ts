import { EngineError } from '../base/index.ts';
import type { Container, Waiter } from './container.ts';
import type { WaitCondition, WaitResult } from './types.ts';

/** Registers a wait; the answer comes when the condition is met, or now when it is met already. */
export function waitForContainer(container: Container, condition: WaitCondition, signal: AbortSignal): Promise<WaitResult> {
  const state = container.state;
  if (condition === 'not-running' && (state.status === 'created' || state.status === 'exited' || state.status === 'dead')) {
    return Promise.resolve({ StatusCode: state.exitCode ?? 0 });
  }
  return new Promise((resolve, reject) => {
    const waiter: Waiter = { condition, settle: resolve };
    container.waiters.add(waiter);
    signal.addEventListener(
      'abort',
      () => {
        if (container.waiters.delete(waiter)) reject(new EngineError('cancelled', 'The wait was given up by the client'));
      },
      { once: true },
    );
  });
}
