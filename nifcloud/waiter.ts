/** Someone who waits: others settle the promise, unless the signal rejects it first. */
export interface Waiter<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(error: unknown): void;
}

/**
 * @param leave called when the signal aborts before the promise is settled, just before it is rejected with the signal's reason
 * @throws the signal's reason when it is aborted already
 */
export function newWaiter<T>(signal: AbortSignal, leave: () => void): Waiter<T> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const onAbort = (): void => {
    leave();
    reject(signal.reason);
  };
  signal.addEventListener('abort', onAbort, { once: true });
  const settle = (): void => signal.removeEventListener('abort', onAbort);
  return {
    promise,
    resolve(value) {
      settle();
      resolve(value);
    },
    reject(error) {
      settle();
      reject(error);
    },
  };
}
