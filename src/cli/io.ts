import { TwinlaneError } from '../base/errors.ts'

/** What a command gets from the outside: streams, environment, and a way to say how it ended. */
export interface CliIo {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  readonly stdin: NodeJS.ReadStream
  readonly stdout: NodeJS.WriteStream
  readonly stderr: NodeJS.WriteStream
  /** Aborts when the user wants the command to stop; asked for only by commands that then have something to clean up. */
  interruption?(): AbortSignal
  /** Exit code of a command that did not throw. @default 0 */
  setExitCode(code: number): void
}

/** The command line itself is wrong: exit code 2. */
export class UsageError extends TwinlaneError {}

/** Writes a line to standard output. */
export function print(io: Pick<CliIo, 'stdout'>, line: string): void {
  io.stdout.write(`${line}\n`)
}

/** Writes a line to standard error: for what is not the result. */
export function note(io: Pick<CliIo, 'stderr'>, line: string): void {
  io.stderr.write(`${line}\n`)
}
