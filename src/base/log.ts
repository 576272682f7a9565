import { type DestinationStream, pino } from 'pino'

/** Structured log. The first argument holds the facts, the second is the sentence. */
export interface Log {
  debug(facts: object, message: string): void
  info(facts: object, message: string): void
  warn(facts: object, message: string): void
  error(facts: object, message: string): void
  /** A log whose lines all carry these facts. */
  child(facts: object): Log
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

/** JSON lines through pino, to standard error unless a destination is given. */
export function createLog(options: { name: string; level?: LogLevel; destination?: DestinationStream }): Log {
  const settings = {
    name: options.name,
    level: options.level ?? 'info',
    base: { name: options.name },
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { error: pino.stdSerializers.errWithCause },
  }
  return pino(settings, options.destination ?? pino.destination({ fd: 2, sync: true })) as unknown as Log
}

const nothing = (): void => {}

/** Says nothing: for tests and for commands whose output is for a person. */
export const silentLog: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing, child: () => silentLog }
