type Task = () => Promise<void>;

const tasks = new Set<Task>();

/** Has a task done when the program is ended by a signal; dispose what comes back once it is done otherwise. */
export function onSignal(task: Task): Disposable {
  tasks.add(task);
  return { [Symbol.dispose]: () => void tasks.delete(task) };
}

let ending = false;

/** True from the signal on: what fails now fails because of the cleaning. */
export function isEnding(): boolean {
  return ending;
}

/** Ends the program at Ctrl-C and SIGTERM, after all tasks. */
export function handleSignals(): void {
  const end = async (): Promise<never> => {
    ending = true;
    for (const task of tasks) await task().catch((error: unknown) => console.error(String(error)));
    process.exit(130);
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void end());
}
