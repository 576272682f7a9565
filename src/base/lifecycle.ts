/**
 * A long-lived part of a process. `start` resolves when the part is ready for use and then goes on in the background
 * until `signal` aborts; `stop` resolves when everything it started has ended. A part must not assume that any other
 * part has been started.
 */
export interface Lifecycle {
  start(signal: AbortSignal): Promise<void>
  stop(): Promise<void>
}
